import type { Duplex } from 'node:stream';
import {
  BINARY,
  CLOSE,
  FrameError,
  FrameReader,
  maskedFrame,
  PING,
  PONG,
  TEXT,
} from '@sallyport/protocol/web-socket-frames.ts';

/** A frame of output is never larger (nor one of a paste), bytes. */
export const MAX_FRAME = 1024 * 1024;
/** Between our close and the end of the connection, milliseconds. */
const CLOSE_WITHIN = 5_000;
const NOTHING = Buffer.alloc(0);

export interface ServerSocketEvents {
  output(bytes: Buffer): void;
  /** What was sent is written. */
  drain(): void;
  /** Once. @param code 1006 where it broke off without a word */
  closed(code: number): void;
}

/**
 * This gateway's end of a WebSocket at a terminal server (RFC 6455, the client's role), over whatever bytes lead there: output comes in binary
 * frames; texts of a server say nothing that a terminal shows.
 */
export class ServerSocket {
  readonly #stream: Duplex;
  readonly #reader: FrameReader;
  readonly #events: ServerSocketEvents;
  readonly #now: () => number;
  #paused = false;
  #over = false;
  #closing = false;
  /** When something came from there last, milliseconds. */
  heardAt: number;

  constructor(stream: Duplex, events: ServerSocketEvents, now: () => number) {
    this.#stream = stream;
    this.#events = events;
    this.#now = now;
    this.heardAt = now();
    this.#reader = new FrameReader(
      { masked: false, most: MAX_FRAME },
      {
        binary: bytes => {
          if (!this.#over) events.output(bytes);
        },
        text() {},
        ping: bytes => this.#answer(bytes),
        pong() {},
        close: code => this.#concluded(code),
      },
    );
    stream
      .on('data', (chunk: Buffer) => this.#came(chunk))
      .on('drain', () => events.drain())
      .on('error', () => this.#end(1006))
      .on('end', () => this.#end(1006))
      .on('close', () => this.#end(1006));
    // It may have gone before anybody listened.
    if (stream.destroyed) process.nextTick(() => this.#end(1006));
  }

  /** Bytes that are on their way there. */
  get buffered(): number {
    return this.#stream.writableLength;
  }

  get paused(): boolean {
    return this.#paused;
  }

  send(data: Buffer | string): void {
    if (this.#over) return;
    if (typeof data === 'string') this.#write(TEXT, Buffer.from(data));
    else this.#write(BINARY, data);
  }

  ping(): void {
    if (!this.#over) this.#write(PING, NOTHING);
  }

  /** Nothing more is read until `resume`: the shell waits. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // A pause is no silence of the other end's.
    this.heardAt = this.#now();
    this.#stream.resume();
  }

  /** Ends it from here; nobody is told. */
  close(code = 1000): void {
    if (this.#over) return;
    this.#over = true;
    this.#sayClose(code);
    this.#stream.resume();
    setTimeout(() => this.#stream.destroy(), CLOSE_WITHIN).unref();
  }

  #came(chunk: Buffer): void {
    this.heardAt = this.#now();
    try {
      this.#reader.read(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#sayClose(error.code);
      this.#end(1006);
    }
  }

  /** Not every ping needs its pong (RFC 6455 section 5.5.3): one that asks and does not read is not answered without end. */
  #answer(bytes: Buffer): void {
    if (!this.#closing && this.buffered < MAX_FRAME) this.#write(PONG, bytes);
  }

  #write(opcode: number, data: Buffer): void {
    if (this.#stream.writable) this.#stream.write(maskedFrame(opcode, data));
  }

  #concluded(code: number): void {
    this.#sayClose(code === 1005 ? undefined : code);
    this.#stream.end();
    this.#end(code);
  }

  #sayClose(code: number | undefined): void {
    if (this.#closing) return;
    this.#closing = true;
    const bytes = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) bytes.writeUInt16BE(code);
    this.#write(CLOSE, bytes);
  }

  #end(code: number): void {
    if (this.#over) {
      this.#stream.destroy();
      return;
    }
    this.#over = true;
    this.#events.closed(code);
    setTimeout(() => this.#stream.destroy(), CLOSE_WITHIN).unref();
  }
}
