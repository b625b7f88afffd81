import { AppError } from '../../platform/errors.ts';

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What may not stand in a value (RFC 9110 section 5.5). Looked for and not looked past: a pattern that takes all of a text remembers each step. */
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** A request target holds neither space nor control (RFC 9112 section 3.2). */
const NOT_IN_TARGET = /[^\x21-\x7e\x80-\xff]/;
const MAX_CHECKED = 1_000;
const checkedNames = new Set<string>();

/** Methods whose requests say that they have no body (RFC 9110 section 8.6). */
const EXPECTS_BODY = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The head of a request, framing included (RFC 9112 sections 3 and 6).
 * @param headers names and values in turn
 * @param length of the body: null without one, NaN where nobody knows it yet
 * @throws AppError `bad_request` for what would end a line early: nothing a client sends may become a request of its own
 */
export function requestHead(
  method: string,
  path: string,
  host: string,
  headers: readonly string[],
  length: number | null,
): string {
  if (!nameIsGood(method) || path === '' || NOT_IN_TARGET.test(path)) throw unsendable();
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    const value = headers[at + 1]!;
    if (!nameIsGood(name) || NOT_IN_VALUE.test(value)) throw unsendable();
    // The body's length is said once, by us.
    if (name === 'content-length') continue;
    head += `${name}: ${value}\r\n`;
  }
  if (length === null) return EXPECTS_BODY.has(method) ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`;
  return Number.isNaN(length)
    ? `${head}transfer-encoding: chunked\r\n\r\n`
    : `${head}content-length: ${length}\r\n\r\n`;
}

const unsendable = (): AppError => new AppError('bad_request', 'A part of the request cannot be sent on.');

function nameIsGood(name: string): boolean {
  if (checkedNames.has(name)) return true;
  if (!TOKEN.test(name)) return false;
  if (checkedNames.size < MAX_CHECKED) checkedNames.add(name);
  return true;
}
