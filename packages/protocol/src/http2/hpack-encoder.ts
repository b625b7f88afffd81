import { DynamicTable, STATIC, STATIC_FIELDS, STATIC_NAMES, TABLE_BYTES } from './hpack-table.ts';

/**
 * What is remembered from one request to the next. All else goes as it is each time: whoever could make requests and see how long they are on their way would else
 * find out what others send (RFC 7541 section 7.1).
 */
const REMEMBERED = new Map(
  [
    ':authority',
    'accept',
    'accept-encoding',
    'accept-language',
    'cache-control',
    'content-type',
    'mcp-method',
    'mcp-protocol-version',
    'user-agent',
  ].map((name, slot) => [name, slot]),
);
/** Longer ones are not worth their place. */
const MOST_REMEMBERED = 256;
/** Nobody on the way may remember them either (section 7.1.3). */
const NEVER = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie', 'x-api-key']);

/** Writes the heads that one peer reads (RFC 7541), without Huffman coding: the way is short of time, not of room. */
export class HpackEncoder {
  readonly #table = new DynamicTable();
  /** By slot: the value that came last, and where in the table it is, by the count of all that were put in; below zero where it is not. */
  readonly #last: string[] = [];
  readonly #place: number[] = [];
  /** The table's size as its reader is still to be told, and the least that it was meanwhile. */
  #told: { least: number; last: number } | null = null;

  /** The reader holds no more than so much (RFC 9113 section 6.5.2: SETTINGS_HEADER_TABLE_SIZE). */
  resize(bytes: number): void {
    const last = Math.min(bytes, TABLE_BYTES);
    if (last === (this.#told?.last ?? this.#table.limit)) return;
    this.#told = { least: Math.min(last, this.#told?.least ?? last), last };
  }

  /**
   * @param headers names, in lower case, and values in turn
   * @param into has room for all of it
   * @returns where it ends there
   */
  write(headers: readonly string[], into: Buffer, at: number): number {
    if (this.#told !== null) at = this.#resized(into, at);
    for (let i = 0; i < headers.length; i += 2) at = this.#field(headers[i]!, headers[i + 1]!, into, at);
    return at;
  }

  /** Section 4.2. */
  #resized(into: Buffer, at: number): number {
    const { least, last } = this.#told!;
    this.#told = null;
    this.#table.resize(least);
    if (least < last) at = integer(least, 0x1f, 0x20, into, at);
    this.#table.resize(last);
    return integer(last, 0x1f, 0x20, into, at);
  }

  #field(name: string, value: string, into: Buffer, at: number): number {
    const known = STATIC_NAMES.get(name);
    if (known !== undefined) {
      const whole = STATIC_FIELDS.get(`${name}\0${value}`);
      if (whole !== undefined) return integer(whole, 0x7f, 0x80, into, at);
    }
    const slot = REMEMBERED.get(name);
    if (slot === undefined || value.length > MOST_REMEMBERED) {
      const never = NEVER.has(name) ? 0x10 : 0;
      return literal(known ?? 0, 0x0f, never, name, value, into, at);
    }
    // Put in when it came twice in a row: a value that never comes again would push out others.
    const again = this.#last[slot] === value;
    this.#last[slot] = value;
    if (!again) {
      this.#place[slot] = -1;
      return literal(known ?? 0, 0x0f, 0, name, value, into, at);
    }
    const back = this.#table.inserted - 1 - this.#place[slot]!;
    if (this.#place[slot]! >= 0 && back < this.#table.count)
      return integer(STATIC + 1 + back, 0x7f, 0x80, into, at);
    at = literal(known ?? 0, 0x3f, 0x40, name, value, into, at);
    this.#table.add(name, value);
    // It may have been too large for the table.
    this.#place[slot] = this.#table.count > 0 ? this.#table.inserted - 1 : -1;
    return at;
  }
}

/** Section 6.2. @param index of its name, 0 where nobody has it */
function literal(
  index: number,
  mask: number,
  kind: number,
  name: string,
  value: string,
  into: Buffer,
  at: number,
): number {
  at = integer(index, mask, kind, into, at);
  if (index === 0) at = text(name, into, at);
  return text(value, into, at);
}

/** Section 5.2: each character is an octet. */
function text(value: string, into: Buffer, at: number): number {
  at = integer(value.length, 0x7f, 0, into, at);
  return at + into.write(value, at, 'latin1');
}

/** Section 5.1. @param kind the bits above the mask */
function integer(value: number, mask: number, kind: number, into: Buffer, at: number): number {
  if (value < mask) {
    into[at] = kind | value;
    return at + 1;
  }
  into[at++] = kind | mask;
  for (value -= mask; value >= 0x80; value = Math.floor(value / 0x80)) into[at++] = (value & 0x7f) | 0x80;
  into[at] = value;
  return at + 1;
}
