import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { z } from 'zod';
import { isLoopbackHost } from '../platform/net.ts';
import { compose } from './compose.ts';
import { createOptions, type Values } from './options.ts';
import { ConfigError, type Path, pathText, reportIssue } from './problems.ts';
import { checkTogether } from './rules.ts';
import { createSecretReader } from './secrets.ts';
import { readSources, type Setting, unknownVariables } from './sources.ts';
import type { Config } from './types.ts';

/** Where the configuration is read from. */
export interface ConfigInput {
  /** By option key; `config` names the file. */
  readonly argvFlags?: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly cwd: string;
  readonly readFile?: (path: string) => string;
}

/** What was read, for printing: each option as it was written, what came of it, and where it stood. */
export interface ReadConfig {
  readonly config: Config;
  readonly options: readonly {
    readonly key: string;
    readonly raw: unknown;
    readonly value: unknown;
    readonly source: string;
  }[];
}

const FILE = 'sallyport.yaml';

/**
 * Reads, checks and completes the configuration: flags beat variables beat the file beat the defaults.
 * @throws ConfigError with everything that is wrong, at once
 */
export const loadConfig = (input: ConfigInput): Config => readConfig(input).config;

/** As `loadConfig`, with what `config print` shows. */
export function readConfig(input: ConfigInput): ReadConfig {
  const flags = input.argvFlags ?? {};
  const read = input.readFile ?? (path => readFileSync(path, 'utf8'));
  const readFile = (path: string) => read(isAbsolute(path) ? path : join(input.cwd, path));
  const file = findFile(input, readFile);
  const { settings, problems: reading } = readSources({ flags, env: input.env, file });
  const problems = [...reading];

  const report = (path: Path, message: string) => {
    const setting = settings.get(String(path[0]));
    problems.push(`${pathText(path)}: ${message}${setting === undefined ? '' : ` (${setting.at(path)})`}`);
  };
  const { values, followed, options } = checkEach(input, readFile, settings, report);
  const raw = (key: string) => settings.get(key)?.raw;
  checkTogether(raw, values, report);
  problems.push(...unknownVariables(input.env, followed));
  if (problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return {
    config: compose(values as Values),
    options: options.map(option => ({
      key: option.key,
      raw: settings.get(option.key)?.raw ?? option.default,
      value: values[option.key],
      source: settings.get(option.key)?.source ?? 'default',
    })),
  };
}

/** Each option by itself. What single checks need of the others (is the listener loopback?) is read first. */
function checkEach(
  input: ConfigInput,
  readFile: (path: string) => string,
  settings: ReadonlyMap<string, Setting>,
  report: (path: Path, message: string) => void,
) {
  const table = (exposed: boolean, insecureHttp: boolean) => {
    const secrets = createSecretReader({ env: input.env, readFile, exposed });
    return { secrets, options: createOptions({ secrets, insecureHttp }) };
  };
  const parse = (option: ReturnType<typeof createOptions>[number]): z.ZodSafeParseResult<unknown> => {
    const fallback = 'default' in option ? option.default : undefined;
    return option.schema.safeParse(settings.get(option.key)?.raw ?? fallback);
  };
  const first = table(false, false).options;
  const early = <K extends keyof Values>(key: K) =>
    parse(first.find(option => option.key === key)!).data as Values[K] | undefined;
  const host = early('listen')?.host;
  const { secrets, options } = table(
    host !== undefined && !isLoopbackHost(host),
    early('insecureHttp') === true,
  );

  const values: Record<string, unknown> = {};
  for (const option of options) {
    const result = parse(option);
    if (result.success) values[option.key] = result.data;
    else for (const issue of result.error.issues) reportIssue([option.key], issue, report);
  }
  return {
    values: values as Partial<Values>,
    followed: secrets.followed,
    options: options as readonly { key: keyof Values; default?: unknown }[],
  };
}

function findFile(
  input: ConfigInput,
  readFile: (path: string) => string,
): { name: string; text: string } | null {
  const flag = input.argvFlags?.['config'];
  const named = typeof flag === 'string' ? flag : input.env['SALLYPORT_CONFIG'] || undefined;
  if (named === undefined && input.readFile === undefined && !existsSync(join(input.cwd, FILE))) return null;
  try {
    return { name: named ?? FILE, text: readFile(named ?? FILE) };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    if (named === undefined && reason === 'ENOENT') return null;
    const origin =
      typeof flag === 'string'
        ? '--config'
        : named === undefined
          ? 'the working directory'
          : 'SALLYPORT_CONFIG';
    throw new ConfigError([
      `${named ?? FILE}: cannot be read (${reason ?? 'unknown reason'}); expected a YAML or JSON file (${origin})`,
    ]);
  }
}
