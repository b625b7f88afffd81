import { SettingsError } from './settings.ts';

type Kind = 'stdio' | 'mcp' | 'http' | 'terminal';

const PROGRAMS: readonly Kind[] = ['stdio'];
const TOOLS: readonly Kind[] = ['stdio', 'mcp'];
const PATHS: readonly Kind[] = ['mcp', 'http'];

/** What means something for servers of some kinds alone, as flags and as keys of the file have it. */
const FITS: Readonly<Record<string, readonly Kind[]>> = {
  isolate: PROGRAMS,
  idle: PROGRAMS,
  most: PROGRAMS,
  cwd: PROGRAMS,
  env: PROGRAMS,
  'allow-tool': TOOLS,
  'deny-tool': TOOLS,
  allowTools: TOOLS,
  denyTools: TOOLS,
  path: PATHS,
  paths: PATHS,
};

const WORDS: Readonly<Record<Kind, string>> = {
  stdio: 'a program',
  mcp: 'an MCP server over HTTP',
  http: 'a web server',
  terminal: 'a terminal',
};

/** A rule that would be passed over is one that somebody relies on. @throws SettingsError */
export function refuseUnfit(
  kind: Kind,
  given: Readonly<Record<string, unknown>>,
  nameOf: (key: string) => string,
): void {
  for (const [key, kinds] of Object.entries(FITS))
    if (given[key] !== undefined && !kinds.includes(kind))
      throw new SettingsError(`${nameOf(key)}: means nothing for ${WORDS[kind]}`);
}
