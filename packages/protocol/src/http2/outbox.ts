import { CODE, FLAG, FRAME_BYTES, FRAME_HEAD, Http2Error, TYPE } from './codes.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import type { Http2Stream } from './stream.ts';

/** What a client says first (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** What goes out at once, bytes, unless one head alone is more: so small frames get in between (performance.md). */
export const BATCH = 64 * 1024;
/** Answers that may wait for a peer that asks and does not read. */
const MOST_ANSWERS = 2_000;
/** Bytes of orders that go out at once. */
const ORDERS = 48 * 1024;
/** A head may be so long by HTTP/2's own count (section 6.5.2), bytes … */
export const MOST_HEAD = 64 * 1024;
/** … which is no longer than this, with the frames around it. */
const HEAD_ROOM = 72 * 1024;

/** Where all connections put together what they send next: the heads and the pieces of one turn leave as one. */
const page = Buffer.allocUnsafeSlow(2 * BATCH + HEAD_ROOM);
const block = Buffer.allocUnsafeSlow(HEAD_ROOM);

/** Writes the frames of one connection (RFC 9113 section 6). */
export class Outbox {
  /** Small frames without a stream of their own to wait for. */
  #orders: Buffer[];
  #length = 0;

  /** @param first what is said before any frame */
  constructor(first: Buffer | null) {
    this.#orders = first === null ? [] : [first];
  }

  /** Whether so much is to be said already that nothing should come that wants an answer. */
  get crowded(): boolean {
    return this.#orders.length >= MOST_ANSWERS;
  }

  /** Before everything else. */
  order(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const frame = Buffer.allocUnsafe(FRAME_HEAD + payload.length);
    frameHead(frame, 0, payload.length, type, flags, stream);
    frame.set(payload, FRAME_HEAD);
    this.#orders.push(frame);
  }

  /** An order that the peer asked for. @throws Http2Error ENHANCE_YOUR_CALM when too many wait */
  answer(type: number, payload: Uint8Array): void {
    if (this.crowded) throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'it asks for more answers than it reads');
    this.order(type, FLAG.ACK, 0, payload);
  }

  /** An order that carries numbers of 32 bits. */
  numbers(type: number, stream: number, ...values: number[]): void {
    const payload = Buffer.allocUnsafe(values.length * 4);
    for (const [at, value] of values.entries()) payload.writeUInt32BE(value, at * 4);
    this.order(type, 0, stream, payload);
  }

  /** @param values names and values (section 6.5.1) */
  settings(values: readonly (readonly [name: number, value: number])[]): void {
    const payload = Buffer.allocUnsafe(values.length * 6);
    for (const [at, [name, value]] of values.entries()) {
      payload.writeUInt16BE(name, at * 6);
      payload.writeUInt32BE(value, at * 6 + 2);
    }
    this.order(TYPE.SETTINGS, 0, 0, payload);
  }

  /** Begins what goes out next, with the orders. */
  begin(): void {
    const orders = this.#orders;
    this.#length = 0;
    let sent = 0;
    while (sent < orders.length && this.#length < ORDERS)
      this.#length += orders[sent++]!.copy(page, this.#length);
    if (sent > 0) this.#orders = orders.slice(sent);
  }

  /**
   * Why the connection ends (section 6.8), behind what is said already.
   * @param last the highest stream of the other end's that was taken
   */
  goaway(last: number, code: number): void {
    this.begin();
    frameHead(page, this.#length, 8, TYPE.GOAWAY, 0, 0);
    page.writeUInt32BE(last, this.#length + FRAME_HEAD);
    page.writeUInt32BE(code, this.#length + FRAME_HEAD + 4);
    this.#length += FRAME_HEAD + 8;
  }

  /** Whether a whole frame more would be too much at once. */
  get full(): boolean {
    return this.#length + FRAME_HEAD + FRAME_BYTES > BATCH;
  }

  windowUpdate(stream: number, by: number): void {
    frameHead(page, this.#length, 4, TYPE.WINDOW_UPDATE, 0, stream);
    page.writeUInt32BE(by, this.#length + FRAME_HEAD);
    this.#length += FRAME_HEAD + 4;
  }

  /** A head, in as many frames as it takes (section 4.3). */
  head(stream: number, headers: readonly string[], encoder: HpackEncoder, endStream: boolean): void {
    const flags = endStream ? FLAG.END_STREAM : 0;
    const start = this.#length + FRAME_HEAD;
    const end = encoder.write(headers, page, start);
    const length = end - start;
    if (length <= FRAME_BYTES) {
      frameHead(page, this.#length, length, TYPE.HEADERS, flags | FLAG.END_HEADERS, stream);
      this.#length = end;
      return;
    }
    page.copy(block, 0, start, end);
    for (let at = 0; at < length; at += FRAME_BYTES) {
      const part = Math.min(FRAME_BYTES, length - at);
      const last = at + part === length ? FLAG.END_HEADERS : 0;
      if (at === 0) frameHead(page, this.#length, part, TYPE.HEADERS, flags, stream);
      else frameHead(page, this.#length, part, TYPE.CONTINUATION, last, stream);
      block.copy(page, this.#length + FRAME_HEAD, at, at + part);
      this.#length += FRAME_HEAD + part;
    }
  }

  /**
   * The next piece of a body, or its end.
   * @param most bytes that the connection's window lets pass
   * @returns how many it was
   */
  data(stream: Http2Stream, most: number): number {
    const length = stream.take(page, this.#length + FRAME_HEAD, most);
    frameHead(page, this.#length, length, TYPE.DATA, stream.sent ? FLAG.END_STREAM : 0, stream.id);
    this.#length += FRAME_HEAD + length;
    return length;
  }

  /** All of it; null: nothing. */
  taken(): Buffer | null {
    return this.#length === 0 ? null : Buffer.from(page.subarray(0, this.#length));
  }
}

function frameHead(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  into[at] = length >> 16;
  into[at + 1] = length >> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  into.writeUInt32BE(stream, at + 5);
}
