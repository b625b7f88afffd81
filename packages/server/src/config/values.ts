import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { Rate } from '../platform/rate-limit.ts';
import { didYouMean, Refusal } from './problems.ts';

/** Zod's error for a value that is absent or of a wrong type; what was given is never repeated. */
export const expecting = (expected: string) => (issue: { input?: unknown }) =>
  issue.input === undefined || issue.input === null
    ? `missing; expected ${expected}`
    : `expected ${expected}`;

/** A value written as text. `read` gives what it means, or throws a Refusal. */
export function leaf<T>(expected: string, read: (text: string) => T) {
  return z.string({ error: expecting(expected) }).transform((text, context): T => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      context.addIssue(error.message || `expected ${expected}`);
      return z.NEVER;
    }
  });
}

export const matching = (pattern: RegExp, expected: string) =>
  leaf(expected, text => {
    if (!pattern.test(text)) throw new Refusal();
    return text;
  });

export const oneOf = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, { error: expecting(`one of ${values.join(', ')}`) });

export const list = <T extends z.ZodType>(element: T, expected: string) =>
  z.array(element, { error: expecting(expected) });

/** One text stands for a list of one. Never split: a group's name may hold a comma. */
export const strings = (expected: string) =>
  z.preprocess(
    value => (typeof value === 'string' ? [value] : value),
    list(matching(/\S/, expected), `a list of ${expected}`),
  );

/** An object of known keys; each unknown one is refused with the likeliest known one. The message has a line for each. */
export function object<T extends z.ZodRawShape>(shape: T, expected: string) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: issue =>
      issue.code === 'unrecognized_keys'
        ? (issue.keys as string[]).map(key => unknownKey(key, known)).join('\n')
        : expecting(`${expected}, a mapping`)(issue),
  });
}

/** What an unknown key's problem says. */
const unknownKey = (key: string, known: readonly string[]): string =>
  `unknown key${didYouMean(key, known) || `; expected one of ${known.join(', ')}`}`;

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);
/** Variables can only be text: the words that operators use for true and false. */
export const boolean = z.preprocess(
  value =>
    typeof value !== 'string'
      ? value
      : TRUE.has(value.toLowerCase())
        ? true
        : FALSE.has(value.toLowerCase())
          ? false
          : value,
  z.boolean({ error: expecting('true or false') }),
);

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** Milliseconds, from `500ms`, `30s`, `15m`, `12h`, `30d`. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text.trim());
  const value = match === null ? 0 : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (value <= 0) throw new Refusal('expected a duration such as 30s, 15m, 12h or 30d');
  return value;
}
export const duration = leaf('a duration such as 30s, 15m, 12h or 30d', parseDuration);

const BYTES = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
/** Bytes, from `64KiB`, `100MB`, `1GiB`. */
export const size = leaf('a size such as 64KiB, 100MB or 1GiB', text => {
  const match = /^(\d{1,9})(B|KB|MB|GB|KiB|MiB|GiB)$/.exec(text.trim());
  if (match === null || Number(match[1]) === 0) throw new Refusal();
  return Number(match[1]) * BYTES[match[2] as keyof typeof BYTES];
});

/** A number in the file is one; variables and flags are text. */
export const count = z.preprocess(
  value => (typeof value === 'number' ? String(value) : value),
  leaf('a whole number, 1 or more', text => {
    if (!/^[1-9]\d{0,8}$/.test(text.trim())) throw new Refusal();
    return Number(text);
  }),
);

/** `60/1m`: so many, and when a spent allowance is whole again; `none` for no limit. */
export const rate = leaf('a rate such as 60/1m, or none', (text): Rate | null => {
  if (text === 'none') return null;
  const match = /^([1-9]\d{0,6})\/(\w+)$/.exec(text.trim());
  if (match === null) throw new Refusal();
  return { burst: Number(match[1]), per: parseDuration(match[2]!) };
});
/** Milliseconds; null for ever. */
export const retention = leaf('a duration such as 180d, or forever', text =>
  text === 'forever' ? null : parseDuration(text),
);

const RATIO = 'a number from 0 to 1';
export const ratio = z.preprocess(
  value => (typeof value === 'number' ? String(value) : value),
  leaf(RATIO, text => {
    if (!/^(0|1|0?\.\d+|1\.0+|0\.0+)$/.test(text)) throw new Refusal();
    return Number(text);
  }),
);

const LISTEN = 'an address and port such as 127.0.0.1:8080 or [::1]:8080';
export const listenAddress = leaf(LISTEN, text => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && !ipaddr.IPv6.isValid(host)))
    throw new Refusal();
  return { host, port };
});

export const range = leaf('an IP address or CIDR range', text => {
  const valid = text.includes('/') ? ipaddr.isValidCIDR(text) : ipaddr.isValid(text);
  if (!valid) throw new Refusal();
  if (/\/0+$/.test(text))
    throw new Refusal('expected the addresses of your proxies; this range is everybody');
  return text;
});

const ID = 'an id of lower-case letters, digits and dashes, 64 at most';
export const id = matching(/^[a-z0-9][a-z0-9-]{0,63}$/, ID);
export const name = matching(/\S/, 'a name for people');
export const header = leaf("a header's name that the gateway does not need for itself", text => {
  const lower = text.toLowerCase();
  // RFC 9110 §5.6.2: a field name is a token.
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(lower) || RESERVED_HEADERS.has(lower)) throw new Refusal();
  return lower;
});
const RESERVED_HEADERS = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'expect',
  'cookie',
  'proxy-connection',
  'proxy-authorization',
]);
