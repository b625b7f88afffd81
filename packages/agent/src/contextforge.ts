import { only } from './read-values.ts';
import { SettingsError } from './settings.ts';

/** How its client comes back, beats and logs is not ours to set: read, and without effect. */
const PASSED_OVER = ['reconnect-delay', 'max-retries', 'keepalive', 'log-level', 'verbose'];
const VARIABLES = ['REVERSE_PROXY_RECONNECT_DELAY', 'REVERSE_PROXY_MAX_RETRIES', 'REVERSE_PROXY_LOG_LEVEL'];
const KEYS = new Set(
  ['gateway', 'token', 'local-stdio', ...PASSED_OVER].map(flag => flag.replaceAll('-', '_')),
);

/** What a file of ContextForge's client says; its flags and variables go before it, as there. */
export interface ContextForgeFile {
  readonly gateway?: string;
  readonly token?: string;
  readonly 'local-stdio'?: string;
}

/** ContextForge's client has one gateway and one program in its file, under the names of its flags. */
export const isContextForges = (file: unknown): boolean =>
  typeof file === 'object' && file !== null && ('local_stdio' in file || 'gateway' in file);

/** @throws SettingsError */
export function contextForgeFile(file: unknown, path: string): ContextForgeFile {
  const { gateway, token, local_stdio: command } = only(file, path, KEYS);
  return {
    ...(gateway == null ? {} : { gateway: String(gateway) }),
    ...(token == null ? {} : { token: String(token) }),
    ...(command == null ? {} : { 'local-stdio': String(command) }),
  };
}

/** A warning of what is given and changes nothing, or none. */
export function passedOver(values: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): string[] {
  const given = [
    ...PASSED_OVER.filter(flag => values[flag] !== undefined).map(flag => `--${flag}`),
    ...VARIABLES.filter(variable => env[variable]),
  ];
  return given.length === 0 ? [] : [`understood, and without effect here: ${given.join(', ')}`];
}

const WORD = /(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/gs;
const QUOTED = /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/gs;

/** A command in one text, as a shell would part it. @throws SettingsError */
export function wordsOf(text: string): string[] {
  if (text.replaceAll(WORD, '').trim() !== '')
    throw new SettingsError('--local-stdio: a quote in it has no end');
  return (text.match(WORD) ?? []).map(word =>
    word.replaceAll(QUOTED, (_all, double?: string, single?: string, bare?: string) =>
      double === undefined ? (single ?? bare ?? '') : double.replaceAll(/\\(["\\])/g, '$1'),
    ),
  );
}
