import { protocolError } from './codes.ts';
import type { FieldSink } from './hpack-decoder.ts';

/** Header fields by lower-case name; a list where one came several times. Without a prototype: `__proto__` is a name like any other. */
export type Fields = Record<string, string | string[] | undefined>;

export const NO_FIELDS: Fields = Object.freeze(Object.create(null) as Fields);

/** RFC 9110 section 5.6.2, in lower case (RFC 9113 section 8.2.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** What may not stand in a value (RFC 9110 section 5.5). */
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const LENGTH = /^\d{1,15}$/;
/** RFC 9113 section 8.2.2. */
const OF_ONE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** Peers use few names, and short ones. */
const MOST_KNOWN = 1_000;
const LONGEST_KNOWN = 64;
const known = new Set<string>();
/** What a field counts besides its letters (RFC 9113 section 6.5.2). */
const FIELD = 32;

/** Collects one block of fields: a head, a hint before it, or what trails it (RFC 9113 section 8.1). */
export abstract class FieldBlock implements FieldSink {
  readonly fields: Fields = Object.create(null) as Fields;
  /** Of the body, as the head says it; below zero where it does not. */
  length = -1;
  /** What is wrong with it, for people; null: nothing. */
  wrong: string | null = null;
  #left: number;
  #regular = false;

  /** @param most bytes of all fields together */
  constructor(most: number) {
    this.#left = most;
  }

  field(name: string, value: string): void {
    this.#left -= name.length + value.length + FIELD;
    if (this.wrong !== null) return;
    if (this.#left < 0) this.wrong = 'headers that are longer than a tunnel carries';
    else if (name.charCodeAt(0) !== 0x3a) this.#field(name, value);
    else if (this.#regular || !this.pseudo(name, value)) this.wrong = this.wrongPseudo;
  }

  /** One of HTTP/2's own fields, which come before all others (section 8.3). @returns whether it may stand here */
  protected abstract pseudo(name: string, value: string): boolean;
  protected abstract readonly wrongPseudo: string;

  #field(name: string, value: string): void {
    this.#regular = true;
    if (!isName(name) || NOT_IN_VALUE.test(value)) this.wrong = 'a header that cannot be one';
    else if (name === 'content-length') this.#length(value);
    else {
      const before = this.fields[name];
      if (before === undefined) this.fields[name] = value;
      else if (typeof before === 'string') this.fields[name] = [before, value];
      else before.push(value);
    }
  }

  #length(value: string): void {
    if (this.length >= 0 || !LENGTH.test(value)) {
      this.wrong = 'a length that is none';
      return;
    }
    this.length = Number(value);
    this.fields['content-length'] = value;
  }
}

/** Of the connection's own fields there is none in HTTP/2. */
function isName(name: string): boolean {
  if (known.has(name)) return true;
  if (!TOKEN.test(name) || OF_ONE_CONNECTION.has(name)) return false;
  if (known.size < MOST_KNOWN && name.length <= LONGEST_KNOWN) known.add(name);
  return true;
}

/**
 * RFC 9113 section 8.2.1: what a head may hold.
 * @param headers names, in lower case, and values in turn
 * @throws Http2Error
 */
export function checkHead(headers: readonly string[]): void {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (NOT_IN_VALUE.test(headers[at + 1]!) || !(name.charCodeAt(0) === 0x3a || isName(name)))
      throw protocolError('a part of the head cannot be sent on');
  }
}

/** Bytes, as the other end counts them (RFC 9113 section 6.5.2). @param headers names and values in turn */
export function listSize(headers: readonly string[]): number {
  let size = headers.length * (FIELD / 2);
  for (const text of headers) size += text.length;
  return size;
}
