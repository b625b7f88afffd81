import { CODE, FLAG, FRAME_BYTES, FRAME_HEAD, Http2Error, protocolError, TYPE } from './codes.ts';

/** Takes frames as they come. */
export interface FrameTaker {
  /** @param length of all that it carries, padding included: what it takes of the windows */
  dataBegins(stream: number, length: number): void;
  /** A part of the data, as a view of what came. */
  data(piece: Buffer): void;
  /** @param padding what was no data */
  dataEnds(endStream: boolean, padding: number): void;
  /** Any other frame that means something, whole. What it carries is only lent. */
  frame(type: number, flags: number, stream: number, payload: Buffer): void;
}

/** What a frame of a fixed length carries, by type (RFC 9113 section 6). */
const FIXED: Readonly<Record<number, number>> = {
  [TYPE.PRIORITY]: 5,
  [TYPE.RST_STREAM]: 4,
  [TYPE.PING]: 8,
  [TYPE.WINDOW_UPDATE]: 4,
};
/** These mean nothing here (section 5.3), and neither does what is not known (section 4.1). */
const passedOver = (type: number): boolean => type === TYPE.PRIORITY || type > TYPE.CONTINUATION;

const NOTHING = Buffer.alloc(0);

/**
 * Takes a byte stream apart into frames (RFC 9113 section 4), however it is cut. Data are handed on as they come; other frames are gathered, where
 * they are cut, up to the 16 KiB that a frame may have.
 */
export class FrameReader {
  readonly #taker: FrameTaker;
  #type = 0;
  #flags = 0;
  #stream = 0;
  /** Of the frame, still to come; below zero between two frames. */
  #left = -1;
  /** Padding behind the data, and whether its length is still to come. */
  #padding = 0;
  #padded = false;
  #padBytes = 0;
  /** The head of a frame, or a frame, of which a part came. */
  #part: Buffer = NOTHING;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** @throws Http2Error where the connection is broken; then nothing more may be pushed */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.#left < 0 ? this.#head(bytes, at) : this.#payload(bytes, at);
  }

  #head(bytes: Buffer, at: number): number {
    if (this.#part.length === 0 && bytes.length - at >= FRAME_HEAD) {
      this.#begin(bytes, at);
      return at + FRAME_HEAD;
    }
    const missing = FRAME_HEAD - this.#part.length;
    this.#part = Buffer.concat([this.#part, bytes.subarray(at, at + missing)]);
    if (this.#part.length === FRAME_HEAD) {
      const head = this.#part;
      this.#part = NOTHING;
      this.#begin(head, 0);
    }
    return Math.min(bytes.length, at + missing);
  }

  #begin(bytes: Buffer, at: number): void {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    this.#type = type;
    this.#flags = bytes[at + 4]!;
    this.#stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.#left = length;
    const fixed = FIXED[type];
    if (length > FRAME_BYTES || (fixed !== undefined && length !== fixed))
      throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'a frame of a length that it may not have came');
    if (type === TYPE.DATA) {
      this.#padded = (this.#flags & FLAG.PADDED) !== 0;
      this.#padding = 0;
      this.#padBytes = 0;
      if (this.#padded && length === 0) throw badPadding();
      this.#taker.dataBegins(this.#stream, length);
    }
    if (length === 0) this.#end(NOTHING);
  }

  #payload(bytes: Buffer, at: number): number {
    const to = Math.min(bytes.length, at + this.#left);
    if (this.#type === TYPE.DATA) this.#data(bytes, at, to);
    else if (passedOver(this.#type)) {
      this.#left -= to - at;
      if (this.#left === 0) this.#end(NOTHING);
    } else this.#gather(bytes, at, to);
    return to;
  }

  #data(bytes: Buffer, at: number, to: number): void {
    if (this.#padded) {
      this.#padded = false;
      this.#left -= 1;
      this.#padding = bytes[at++]!;
      this.#padBytes = this.#padding + 1;
      // Section 6.1: so much and more is no padding.
      if (this.#padding > this.#left) throw badPadding();
    }
    const data = Math.min(to - at, this.#left - this.#padding);
    this.#left -= to - at;
    if (data > 0) this.#taker.data(at === 0 && data === bytes.length ? bytes : bytes.subarray(at, at + data));
    if (this.#left === 0) this.#end(NOTHING);
  }

  #gather(bytes: Buffer, at: number, to: number): void {
    this.#left -= to - at;
    const piece = bytes.subarray(at, to);
    if (this.#left > 0) {
      // Its own: a view would keep all that came with it.
      this.#part = Buffer.concat([this.#part, piece]);
      return;
    }
    const whole = this.#part.length === 0 ? piece : Buffer.concat([this.#part, piece]);
    this.#part = NOTHING;
    this.#end(whole);
  }

  #end(payload: Buffer): void {
    this.#left = -1;
    if (this.#type === TYPE.DATA) this.#taker.dataEnds((this.#flags & FLAG.END_STREAM) !== 0, this.#padBytes);
    else this.#taker.frame(this.#type, this.#flags, this.#stream, payload);
  }
}

const badPadding = () => protocolError('a frame with more padding than it has room for came');
