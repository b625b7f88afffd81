import type { Duplex, Writable } from 'node:stream';
import * as ws from 'ws';

/** The parts of `ws` that make and read frames; its types leave them out. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: { isServer: boolean; maxPayload: number }) => Writable;
  Sender: new (stream: Duplex) => FrameSender;
};
interface FrameSender {
  send(data: Buffer | string, options: { binary: boolean; compress: false; fin: true; mask: true }): void;
  ping(data: Buffer, mask: boolean): void;
  pong(data: Buffer, mask: boolean): void;
  close(code: number | undefined, data: string, mask: boolean): void;
}

/** A frame of output is never larger (nor one of a paste), bytes. */
export const MAX_FRAME = 1024 * 1024;
/** Between our close and the end of the connection, milliseconds. */
const CLOSE_WITHIN = 5_000;
const NOTHING = Buffer.alloc(0);
const BINARY = { binary: true, compress: false, fin: true, mask: true } as const;
const TEXT = { ...BINARY, binary: false } as const;

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
  readonly #sender: FrameSender;
  readonly #receiver: Writable;
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
    this.#sender = new Sender(stream);
    this.#receiver = new Receiver({ isServer: false, maxPayload: MAX_FRAME })
      .on('message', (data: Buffer, binary: boolean) => {
        if (binary && !this.#over) events.output(data);
      })
      .on('ping', (data: Buffer) => {
        if (stream.writable) this.#sender.pong(data, true);
      })
      .on('conclude', (code: number) => this.#concluded(code))
      .on('error', () => this.#end(1006))
      .on('drain', () => {
        if (!this.#paused) stream.resume();
      });
    stream
      .on('data', (chunk: Buffer) => {
        this.heardAt = now();
        if (!this.#receiver.write(chunk)) stream.pause();
      })
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
    if (this.#over || !this.#stream.writable) return;
    this.#sender.send(data, typeof data === 'string' ? TEXT : BINARY);
  }

  ping(): void {
    if (!this.#over && this.#stream.writable) this.#sender.ping(NOTHING, true);
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

  #concluded(code: number): void {
    this.#sayClose(code === 1005 ? undefined : code);
    this.#stream.end();
    this.#end(code);
  }

  #sayClose(code: number | undefined): void {
    if (this.#closing || !this.#stream.writable) return;
    this.#closing = true;
    this.#sender.close(code, '', true);
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
