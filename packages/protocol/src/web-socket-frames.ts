import { isUtf8 } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import { mask } from './masking.ts';

/** What a frame is (RFC 6455 section 5.2). */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const MAX_CONTROL = 125;
/** Two bytes, eight of a length, four of a mask. */
const MAX_HEAD = 14;
/** What is smaller leaves in one piece with its head, bytes: a copy costs less than a second piece. */
const JOINED = 4 * 1024;
const NOTHING = Buffer.alloc(0);

/** What came is no WebSocket, or more of one than is taken: the connection fails (RFC 6455 section 7.1.7). */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  /** What the other end is told (section 7.4.1). */
  readonly code: 1002 | 1007 | 1009;

  constructor(code: 1002 | 1007 | 1009, message: string) {
    super(message);
    this.code = code;
  }
}

export interface FrameEvents {
  /** Some of a binary message, as it comes: it need not be whole. */
  binary(bytes: Buffer): void;
  /** A whole text. */
  text(bytes: Buffer): void;
  ping(bytes: Buffer): void;
  pong(): void;
  /** Nothing is read after it. @param code 1005 where it holds none */
  close(code: number): void;
}

/**
 * Reads the frames of a WebSocket that is a stream of bytes (RFC 6455 section 5), with no extension: a terminal's, a tunnel's. A binary message is only how
 * some of them travel: they are handed on as parts of what was read, neither gathered nor copied.
 */
export class FrameReader {
  readonly #masked: boolean;
  readonly #maskSize: 0 | 4;
  readonly #most: number;
  readonly #events: FrameEvents;
  readonly #head = Buffer.alloc(MAX_HEAD);
  #have = 0;
  /** Where the mask of the frame begins. */
  #lengthEnd = 2;
  /** Of the frame that is being read. */
  #opcode = 0;
  #isLast = false;
  #left = 0;
  #inPayload = false;
  /** Which byte of the mask is the next. */
  #turn = 0;
  /** The opcode of the message whose frames are coming; 0: none. */
  #message = 0;
  #messageSize = 0;
  /** What came of a text, or of a control frame, which may stand between the frames of a text. */
  #text = NOTHING;
  #textSize = 0;
  #control = NOTHING;
  #over = false;

  /**
   * @param options.masked whether clients are read: their frames are masked, and a server's never are (section 5.1). What is masked is unmasked in place
   * @param options.most bytes of a message
   */
  constructor(options: { masked: boolean; most: number }, events: FrameEvents) {
    this.#masked = options.masked;
    this.#maskSize = options.masked ? 4 : 0;
    this.#most = options.most;
    this.#events = events;
  }

  /** @throws FrameError; nothing can be read any more */
  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#over) {
      if (!this.#inPayload) {
        at = this.#readHead(chunk, at);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#left);
      const part = at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end);
      at = end;
      this.#left -= part.length;
      if (this.#masked) {
        mask(part, this.#head, this.#lengthEnd, this.#turn);
        this.#turn += part.length & 3;
      }
      this.#payload(part);
      if (this.#left === 0) this.#endFrame();
    }
  }

  /** @returns where its payload begins, or the end of the chunk */
  #readHead(chunk: Buffer, from: number): number {
    const head = this.#head;
    let at = from;
    while (at < chunk.length) {
      head[this.#have++] = chunk[at++]!;
      if (this.#have === 2) this.#checkStart();
      if (this.#have === this.#lengthEnd) this.#checkLength();
      if (this.#have < this.#lengthEnd + this.#maskSize) continue;
      this.#begin();
      break;
    }
    return at;
  }

  /** Sections 5.2, 5.4 and 5.5. */
  #checkStart(): void {
    const [first, second] = [this.#head[0]!, this.#head[1]!];
    const opcode = first & 0x0f;
    const length = second & 0x7f;
    this.#opcode = opcode;
    this.#isLast = (first & FIN) !== 0;
    if ((first & RESERVED) !== 0) this.#fail(1002, 'a reserved bit is set');
    if (((second & MASKED) !== 0) !== this.#masked)
      this.#fail(1002, this.#masked ? 'a frame is not masked' : 'a frame is masked');
    if (opcode >= CLOSE) {
      if (opcode > PONG) this.#fail(1002, 'an unknown opcode');
      if (!this.#isLast) this.#fail(1002, 'a control frame in fragments');
      if (length > MAX_CONTROL) this.#fail(1002, 'a control frame that is too long');
      if (opcode === CLOSE && length === 1) this.#fail(1002, 'half a close code');
    } else if (opcode > BINARY) this.#fail(1002, 'an unknown opcode');
    else if ((opcode === CONTINUATION) !== (this.#message !== 0))
      this.#fail(1002, 'a message begins within another, or goes on that has not begun');
    this.#lengthEnd = length === 126 ? 4 : length === 127 ? 10 : 2;
  }

  /** Before the mask comes: what is too large is refused at once. */
  #checkLength(): void {
    const head = this.#head;
    let length = head[1]! & 0x7f;
    if (length === 126) length = head.readUInt16BE(2);
    // One with its highest bit set, which none may send, is too large as well.
    else if (length === 127) length = head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6);
    this.#left = length;
    if (this.#opcode >= CLOSE) return;
    this.#messageSize += length;
    if (this.#messageSize > this.#most) this.#fail(1009, `a message of more than ${this.#most} bytes`);
  }

  #begin(): void {
    if (this.#opcode < CLOSE && this.#opcode !== CONTINUATION) this.#message = this.#opcode;
    this.#have = 0;
    this.#turn = 0;
    this.#inPayload = true;
    if (this.#left === 0) this.#endFrame();
  }

  #payload(part: Buffer): void {
    if (this.#opcode >= CLOSE) this.#control = Buffer.concat([this.#control, part]);
    else if (this.#message === BINARY) this.#events.binary(part);
    else this.#gather(part);
  }

  /** Into one buffer: many small fragments must not become many small buffers. */
  #gather(part: Buffer): void {
    if (this.#textSize + part.length > this.#text.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#most, (this.#textSize + part.length) * 2));
      this.#text.copy(larger, 0, 0, this.#textSize);
      this.#text = larger;
    }
    this.#textSize += part.copy(this.#text, this.#textSize);
  }

  #endFrame(): void {
    this.#inPayload = false;
    if (this.#opcode >= CLOSE) {
      const bytes = this.#control;
      this.#control = NOTHING;
      this.#endControl(bytes);
    } else if (this.#isLast) {
      const wasText = this.#message === TEXT;
      this.#message = 0;
      this.#messageSize = 0;
      if (wasText) this.#endText();
    }
  }

  #endText(): void {
    const bytes = this.#text.subarray(0, this.#textSize);
    this.#text = NOTHING;
    this.#textSize = 0;
    // Section 8.1.
    if (!isUtf8(bytes)) this.#fail(1007, 'a text that is not UTF-8');
    this.#events.text(bytes);
  }

  #endControl(bytes: Buffer): void {
    if (this.#opcode === PING) this.#events.ping(bytes);
    else if (this.#opcode === PONG) this.#events.pong();
    else {
      const code = this.#closeCode(bytes);
      this.#over = true;
      this.#events.close(code);
    }
  }

  /** Sections 5.5.1 and 7.4. */
  #closeCode(bytes: Buffer): number {
    if (bytes.length === 0) return 1005;
    const code = bytes.readUInt16BE(0);
    const isOfProtocol = code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
    if (!isOfProtocol && (code < 3000 || code > 4999)) this.#fail(1002, 'a close code that none may send');
    if (!isUtf8(bytes.subarray(2))) this.#fail(1007, 'a reason that is not UTF-8');
    return code;
  }

  #fail(code: FrameError['code'], message: string): never {
    this.#over = true;
    throw new FrameError(code, message);
  }
}

/** The head of a frame that is a whole message. @returns its length */
function writeHead(to: Buffer, at: number, opcode: number, length: number, masked: 0 | 0x80): number {
  to[at] = FIN | opcode;
  if (length < 126) {
    to[at + 1] = masked | length;
    return 2;
  }
  if (length < 2 ** 16) {
    to[at + 1] = masked | 126;
    to.writeUInt16BE(length, at + 2);
    return 4;
  }
  to[at + 1] = masked | 127;
  to.writeUInt32BE(0, at + 2);
  to.writeUInt32BE(length, at + 6);
  return 10;
}

/** Sends one binary frame, not masked, as a server does. @param written called when it is, or when it cannot be */
export const writeBinary = (
  to: Writable,
  pieces: readonly Buffer[],
  length: number,
  written: () => void,
): void => writeFrame(to, BINARY, pieces, length, written);

/** The same of any frame. What is small leaves in one piece; of what is larger nothing is copied. */
export function writeFrame(
  to: Writable,
  opcode: number,
  pieces: readonly Buffer[],
  length: number,
  written?: () => void,
): void {
  if (length <= JOINED) {
    const frame = Buffer.allocUnsafe(length + 4);
    let at = writeHead(frame, 0, opcode, length, 0);
    for (const piece of pieces) at += piece.copy(frame, at);
    to.write(at === frame.length ? frame : frame.subarray(0, at), written);
    return;
  }
  const head = Buffer.allocUnsafe(10);
  to.cork();
  to.write(head.subarray(0, writeHead(head, 0, opcode, length, 0)));
  for (let n = 0; n < pieces.length - 1; n++) to.write(pieces[n]!);
  to.write(pieces.at(-1)!, written);
  to.uncork();
}

/** Masks have to be unpredictable (RFC 6455 section 5.3): drawn for many frames at once. */
const masks = Buffer.alloc(8 * 1024);
let maskAt = masks.length;

/** The head of a frame and its mask. @returns where its payload begins */
function writeMaskedHead(to: Buffer, at: number, opcode: number, length: number): number {
  if (maskAt === masks.length) {
    randomFillSync(masks);
    maskAt = 0;
  }
  const key = at + writeHead(to, at, opcode, length, MASKED);
  for (let i = 0; i < 4; i++) to[key + i] = masks[maskAt++]!;
  return key + 4;
}

/** A frame, masked, as a client sends it; what it is made of stays as it is. */
export function maskedFrame(opcode: number, data: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(data.length + MAX_HEAD);
  const from = writeMaskedHead(frame, 0, opcode, data.length);
  const end = from + data.copy(frame, from);
  mask(frame.subarray(from, end), frame, from - 4);
  return frame.subarray(0, end);
}

/** What `maskedMessages` may take of its room. */
export const roomFor = (length: number, most: number): number => length + Math.ceil(length / most) * MAX_HEAD;

/**
 * Binary messages one behind the other, masked.
 * @param most bytes of each
 * @returns how much of the room they take
 */
export function maskedMessages(to: Buffer, pieces: readonly Buffer[], length: number, most: number): number {
  let at = 0;
  let piece = 0;
  let from = 0;
  for (let left = length; left > 0; ) {
    const size = Math.min(left, most);
    const start = writeMaskedHead(to, at, BINARY, size);
    at = start;
    while (at < start + size) {
      const took = pieces[piece]!.copy(to, at, from, from + start + size - at);
      at += took;
      from += took;
      if (from === pieces[piece]!.length) {
        piece += 1;
        from = 0;
      }
    }
    mask(to.subarray(start, at), to, start - 4);
    left -= size;
  }
  return at;
}
