import type { Socket } from 'node:net';
import { ByteStream } from './byte-stream.ts';
import { MESSAGE_BYTES, SENT_MESSAGE_BYTES } from './limits.ts';
import {
  CLOSE,
  FrameError,
  type FrameEvents,
  FrameReader,
  maskedFrame,
  maskedMessages,
  PONG,
  roomFor,
  writeBinary,
  writeFrame,
} from './web-socket-frames.ts';

type Done = (error?: Error | null) => void;

/** Between a close of either end and the end of the connection, milliseconds. */
const CLOSE_WITHIN = 5_000;
/** Unsent bytes past which a ping is not answered. */
const MOST_UNSENT = 256 * 1024;
const NORMAL = 1000;
/** Bytes of the room where messages are masked: to begin with, and kept at most. */
const ROOM = 80 * 1024;
const MOST_ROOM = 1024 * 1024;

/**
 * The bytes of one WebSocket (RFC 6455), behind its handshake: what its binary messages hold, one after the other; where one message ends means
 * nothing. They are handed on as they come, not gathered.
 *
 * A write is done when the system has taken it, so that HTTP/2 decides late what goes next.
 */
export class SocketStream extends ByteStream {
  readonly #socket: Socket;
  /** Whether this is the end that asked for it: it masks what it sends, and the other does not (section 5.1). */
  readonly #asked: boolean;
  readonly #reader: FrameReader;
  #reading = false;
  /** A close was sent: nothing may follow it. */
  #said = false;

  /** @param now monotonic milliseconds */
  constructor(socket: Socket, end: 'gateway' | 'agent', now: () => number) {
    super(now);
    this.#socket = socket;
    this.#asked = end === 'agent';
    this.#reader = new FrameReader({ masked: !this.#asked, most: MESSAGE_BYTES }, this.#events());
    socket.setTimeout(0).setNoDelay(true);
    socket.on('error', () => this.destroy());
    socket.on('end', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  #events(): FrameEvents {
    return {
      binary: bytes => this.arrived(bytes),
      // Section 7.4.1: data of a kind that is not taken here.
      text: () => this.#fail(1003, 'a text message came, where bytes were expected', 'binary messages only'),
      ping: bytes => this.#answer(bytes),
      pong() {},
      close: code => {
        this.#sayClose(code === 1005 ? null : code);
        this.destroy();
      },
    };
  }

  /** From the first time on that somebody reads: whoever it is hears of what goes wrong. */
  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#socket.on('data', (chunk: Buffer) => this.#came(chunk));
  }

  #came(chunk: Buffer): void {
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#fail(error.code, error.message);
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send([chunk], chunk.length, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    let length = 0;
    for (const { chunk } of chunks) length += chunk.length;
    this.#send(
      chunks.map(({ chunk }) => chunk),
      length,
      done,
    );
  }

  override _final(done: Done): void {
    this.#sayClose(NORMAL);
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    const socket = this.#socket;
    if (this.#said && !socket.destroyed) {
      // A closing handshake that is under way goes on, and what still comes is for nobody.
      socket.end();
      socket.resume();
      setTimeout(() => socket.destroy(), CLOSE_WITHIN).unref();
    } else socket.destroy();
    done(error);
  }

  #send(pieces: readonly Buffer[], length: number, done: Done): void {
    if (this.#said || !this.#socket.writable) done(new Error('it was closed by the other end'));
    else if (length === 0) done();
    else if (this.#asked) this.#sendMasked(pieces, length, done);
    else if (length <= SENT_MESSAGE_BYTES) writeBinary(this.#socket, pieces, length, done);
    else {
      const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);
      for (let from = 0; from < length; from += SENT_MESSAGE_BYTES) {
        const part = whole.subarray(from, from + SENT_MESSAGE_BYTES);
        const isLast = from + part.length === length;
        writeBinary(this.#socket, [part], part.length, isLast ? done : ignore);
      }
    }
  }

  #sendMasked(pieces: readonly Buffer[], length: number, done: Done): void {
    const needed = roomFor(length, SENT_MESSAGE_BYTES);
    const room = takeRoom(needed);
    const end = maskedMessages(room, pieces, length, SENT_MESSAGE_BYTES);
    this.#socket.write(room.subarray(0, end), error => {
      if (room.length <= MOST_ROOM) spare = room;
      done(error);
    });
  }

  /** Not every ping needs its pong (section 5.5.3): one that asks and does not read is not answered without end. */
  #answer(bytes: Buffer): void {
    if (!this.#said && this.#socket.writableLength < MOST_UNSENT) this.#control(PONG, bytes);
  }

  #fail(code: number, message: string, reason = ''): void {
    this.#sayClose(code, reason);
    this.destroy(new Error(message));
  }

  #sayClose(code: number | null, reason = ''): void {
    if (this.#said) return;
    const bytes = Buffer.alloc(code === null ? 0 : 2 + reason.length);
    if (code !== null) bytes.writeUInt16BE(code);
    bytes.write(reason, 2, 'latin1');
    this.#control(CLOSE, bytes);
    this.#said = true;
  }

  #control(opcode: number, bytes: Buffer): void {
    if (!this.#socket.writable) return;
    if (this.#asked) this.#socket.write(maskedFrame(opcode, bytes));
    else writeFrame(this.#socket, opcode, [bytes], bytes.length);
  }
}

const ignore = () => {};

/**
 * Where messages are masked: it is free again when the system has them. New room for each would be all that is allocated on the way of a large answer, and V8 collects
 * everything when there is much of it outside of its heap.
 */
let spare: Buffer | null = null;

function takeRoom(length: number): Buffer {
  const room = spare;
  spare = null;
  return room !== null && room.length >= length ? room : Buffer.allocUnsafeSlow(Math.max(length, ROOM));
}
