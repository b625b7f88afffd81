import { getSystemErrorMap } from 'node:util';
import { type Logger, pino } from 'pino';
import { servedRequest } from './on-behalf-of.ts';

export type { Logger };

export interface LogOptions {
  level: string;
  /** Where lines go; standard error by default, so that standard output stays for what a command prints. */
  destination?: { write(line: string): void };
}

/** Keys whose values never reach a line, wherever a careless object carries them. */
const REDACTED = [
  'authorization',
  'cookie',
  'set-cookie',
  'access_token',
  'refresh_token',
  'id_token',
  'code',
  'code_verifier',
  'client_secret',
  'client_assertion',
  'logout_token',
  'token',
  'password',
  'key',
  'secret',
];

/** The system's names of errors, `ECONNREFUSED` and the like: they tell nothing of anybody. */
const SYSTEM_ERRORS = new Set<unknown>([...getSystemErrorMap().values()].map(([name]) => name));

const censor = (value: unknown) => (SYSTEM_ERRORS.has(value) ? value : '[redacted]');

/** The structured log: one JSON line an event, with the id of the request that it happened for. */
export function createLog(options: LogOptions): Logger {
  const paths = REDACTED.flatMap(key => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`]);
  const settings = {
    level: options.level,
    base: undefined,
    redact: { paths, censor },
    mixin: () => {
      const requestId = servedRequest();
      return requestId === undefined ? {} : { requestId };
    },
  };
  return options.destination
    ? pino(settings, options.destination)
    : pino(settings, pino.destination({ fd: 2, sync: false, minLength: 0 }));
}
