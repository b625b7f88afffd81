import { CODE, FLAG, Http2Error, protocolError } from './codes.ts';
import { type FieldSink, HpackDecoder } from './hpack-decoder.ts';

/** CONTINUATION frames of one head: each of them full, they are twice as much as a head may be. */
const MOST_CONTINUATIONS = 8;

/** A head that came, of whichever stream. */
export interface HeadCame<Head> {
  readonly stream: number;
  readonly endStream: boolean;
  readonly head: Head;
}

/** Puts together the frames of a head, and reads them (RFC 9113 sections 4.3, 6.2 and 6.10). */
export class HeadReader<Head extends FieldSink> {
  readonly #decoder = new HpackDecoder();
  readonly #make: () => Head;
  /** A head of which frames are still to come. */
  #begun: { stream: number; endStream: boolean; pieces: Buffer[]; frames: number } | null = null;

  /** @param make what collects the fields of one */
  constructor(make: () => Head) {
    this.#make = make;
  }

  /** Whether the next frame has to be a CONTINUATION. */
  get open(): boolean {
    return this.#begun !== null;
  }

  /** @returns null where more of it is to come @throws Http2Error */
  headers(flags: number, stream: number, payload: Buffer): HeadCame<Head> | null {
    let from = 0;
    let to = payload.length;
    if ((flags & FLAG.PADDED) !== 0) {
      from = 1;
      to -= payload[0] ?? 0;
    }
    if ((flags & FLAG.PRIORITY) !== 0) from += 5;
    if (from > to) throw protocolError('a frame with more padding than it has room for came');
    const endStream = (flags & FLAG.END_STREAM) !== 0;
    const piece = payload.subarray(from, to);
    if ((flags & FLAG.END_HEADERS) !== 0) return this.#read(stream, endStream, piece);
    this.#begun = { stream, endStream, pieces: [Buffer.from(piece)], frames: 0 };
    return null;
  }

  /** The same. */
  continuation(flags: number, stream: number, payload: Buffer): HeadCame<Head> | null {
    const begun = this.#begun!;
    if (begun.stream !== stream) throw protocolError('a frame came out of turn');
    if (++begun.frames > MOST_CONTINUATIONS)
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'headers that do not end came');
    begun.pieces.push(Buffer.from(payload));
    if ((flags & FLAG.END_HEADERS) === 0) return null;
    this.#begun = null;
    return this.#read(stream, begun.endStream, Buffer.concat(begun.pieces));
  }

  /** Also of a stream that is over: what comes later may refer to it. */
  #read(stream: number, endStream: boolean, block: Buffer): HeadCame<Head> {
    const head = this.#make();
    this.#decoder.read(block, head);
    return { stream, endStream, head };
  }
}
