import { StringDecoder } from 'node:string_decoder';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { AppError } from '../platform/errors.ts';
import type { Size } from './viewer.ts';

/**
 * How a recording is kept. A piece, before it is sealed:
 *
 *   form      1 byte    1
 *   length    varint    of what follows
 *   events              zstd (RFC 8878) of: { after: varint, kind and length: varint, data }…
 *   padding             zeros, up to a multiple of 256 bytes
 *
 * `after` is microseconds since the event before, of the first since the recording began, so that each piece stands for itself. The lowest bit
 * of the second number is 1 for a size (`100x30`) and 0 for output, whose bytes are as they came: a character may end in the next event, or in
 * the next piece. A varint has seven bits in a byte, the lowest first.
 *
 * What is compressed before it is sealed shows by its length how alike it was. The padding leaves of that, and of how much was typed in a
 * second, a few hundred bytes (decisions/0022).
 *
 * Pieces of older versions are lines of asciicast v2: those begin with `[`.
 */
const FORM = 1;
const LINES = 0x5b;
const PADDED_TO = 256;
/** No piece holds more events than this, bytes: what is larger is none of ours. */
const MOST = 16 * 1024 * 1024;
/** Of a number and of an event's head, bytes. */
const MAX_VARINT = 8;
const HEAD = 2 * MAX_VARINT;
/** The first room for events; most pieces are a second of somebody's typing. */
const FIRST_ROOM = 2 * 1024;
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Text is handed on in parts of about this size, characters. */
const PART = 64 * 1024;

export interface RecordedEvent {
  /** Microseconds since the recording began. */
  readonly at: number;
  readonly kind: 'o' | 'r';
  readonly data: Buffer;
}

/** Gathers events into pieces. Times must not go back. */
export class PieceWriter {
  #events = Buffer.alloc(0);
  #used = 0;
  /** Microseconds. */
  #at = 0;

  /** Bytes that are gathered. */
  get size(): number {
    return this.#used;
  }

  output(at: number, bytes: Buffer): void {
    this.#add(at, 0, bytes);
  }

  resized(at: number, { cols, rows }: Size): void {
    this.#add(at, 1, Buffer.from(`${cols}x${rows}`));
  }

  /** What was gathered, as a piece; null: nothing. */
  take(): Buffer | null {
    const used = this.#used;
    const events = used === 0 ? null : zstdCompressSync(this.#events.subarray(0, used), ZSTD);
    // While much is printed the room is used again; a terminal that rests holds none.
    if (used < this.#events.length / 4) this.#events = Buffer.alloc(0);
    this.#used = 0;
    if (events === null) return null;
    this.#at = 0;
    const length = 1 + MAX_VARINT + events.length;
    const piece = Buffer.alloc(Math.ceil(length / PADDED_TO) * PADDED_TO);
    piece[0] = FORM;
    events.copy(piece, writeVarint(piece, 1, events.length));
    return piece;
  }

  #add(at: number, size: 0 | 1, data: Buffer): void {
    this.#makeRoom(HEAD + data.length);
    // Of the piece before only the time is gone: its events are counted from the beginning again.
    this.#used = writeVarint(this.#events, this.#used, Math.max(0, at - this.#at));
    this.#used = writeVarint(this.#events, this.#used, data.length * 2 + size);
    this.#used += data.copy(this.#events, this.#used);
    this.#at = Math.max(at, this.#at);
  }

  #makeRoom(more: number): void {
    if (this.#used + more <= this.#events.length) return;
    const larger = Buffer.allocUnsafeSlow(
      Math.max(FIRST_ROOM, this.#used + more, Math.min(this.#events.length * 4, this.#events.length + MOST)),
    );
    this.#events.copy(larger, 0, 0, this.#used);
    this.#events = larger;
  }
}

/** @throws AppError `seal_broken` for what is no piece of a form that is known here */
export function* eventsOf(piece: Buffer): Generator<RecordedEvent> {
  if (piece[0] !== FORM) throw unknown();
  const whole = readVarint(piece, 1);
  const events = inflated(piece.subarray(whole.next, whole.next + whole.value));
  for (let at = 0, next = 0; next < events.length; ) {
    const after = readVarint(events, next);
    const head = readVarint(events, after.next);
    at += after.value;
    next = head.next + Math.floor(head.value / 2);
    if (next > events.length) throw unknown();
    yield { at, kind: head.value % 2 === 1 ? 'r' : 'o', data: events.subarray(head.next, next) };
  }
}

/** The events of a recording as asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/), a line each, in parts. */
export async function* castLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let last = 0;
  let lines = '';
  for await (const piece of pieces) {
    if (piece[0] === LINES) {
      yield piece.toString('utf8');
      continue;
    }
    for (const { at, kind, data } of eventsOf(piece)) {
      last = at;
      const text = kind === 'o' ? decoder.write(data) : data.toString('latin1');
      if (text !== '') lines += line(at, kind, text);
      if (lines.length < PART) continue;
      yield lines;
      lines = '';
    }
  }
  const rest = decoder.end();
  if (rest !== '') lines += line(last, 'o', rest);
  if (lines !== '') yield lines;
}

const line = (at: number, kind: 'o' | 'r', text: string): string =>
  `[${(at / 1_000_000).toFixed(6)}, "${kind}", ${JSON.stringify(text)}]\n`;

function inflated(events: Buffer): Buffer {
  try {
    return zstdDecompressSync(events, { maxOutputLength: MOST });
  } catch (cause) {
    throw unknown(cause);
  }
}

/** @returns where the next byte goes */
function writeVarint(to: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  // By arithmetic: shifts have 32 bits, and a day has 37 of microseconds.
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) to[next++] = (rest % 0x80) | 0x80;
  to[next++] = rest;
  return next;
}

function readVarint(from: Buffer, at: number): { value: number; next: number } {
  let value = 0;
  for (let n = 0, scale = 1; n < MAX_VARINT; n++, scale *= 0x80) {
    const byte = from[at + n];
    if (byte === undefined) break;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80 && Number.isSafeInteger(value)) return { value, next: at + n + 1 };
  }
  throw unknown();
}

const unknown = (cause?: unknown): AppError =>
  new AppError('seal_broken', 'A piece of this recording has a form that is not known here.', { cause });
