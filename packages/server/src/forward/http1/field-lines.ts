import { Malformed } from './malformed.ts';

/** Header fields by lower-case name; a list where one came several times. Without a prototype: `__proto__` is a name like any other. */
export type Fields = Record<string, string | string[] | undefined>;

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Controls, and line ends that are none (RFC 9112 section 2.2, RFC 9110 section 5.5). */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
/** Servers use few names. */
const MAX_KNOWN = 1_000;
const known = new Map<string, string>();

export function emptyFields(): Fields {
  return Object.create(null) as Fields;
}

/** @throws Malformed where a text holds what no head may */
export function checkHead(text: string): void {
  if (FORBIDDEN.test(text)) throw new Malformed('a forbidden character in the head');
}

/**
 * Reads field lines (RFC 9112 section 5) from `at` to the end of a text that `checkHead` has seen.
 * @throws Malformed for folded lines, space before the colon, and names that are no token
 */
export function readFields(text: string, at: number): Fields {
  const fields = emptyFields();
  while (at < text.length) {
    let end = text.indexOf('\r\n', at);
    if (end < 0) end = text.length;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon > end) throw new Malformed('a header line without a colon');
    const name = nameOf(text.slice(at, colon));
    const value = trimmed(text, colon + 1, end);
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (typeof before === 'string') fields[name] = [before, value];
    else before.push(value);
    at = end + 2;
  }
  return fields;
}

function nameOf(written: string): string {
  let name = known.get(written);
  if (name !== undefined) return name;
  if (!TOKEN.test(written)) throw new Malformed('a header name that is none');
  name = written.toLowerCase();
  if (known.size < MAX_KNOWN) known.set(written, name);
  return name;
}

/** Without the optional white space around it. */
function trimmed(text: string, from: number, to: number): string {
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;
