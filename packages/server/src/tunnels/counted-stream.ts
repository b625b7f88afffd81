import { Duplex } from 'node:stream';
import type { ClientStream } from '@sallyport/protocol/http2/client-stream.ts';
import { CODE } from '@sallyport/protocol/http2/codes.ts';
import type { Tally } from './tally.ts';

type Done = (error?: Error | null) => void;

/** The bytes of one WebSocket in a tunnel, counted on their way; what is slow at either end is slow at the other. */
export class CountedStream extends Duplex {
  readonly #stream: ClientStream;
  readonly #tally: Tally;
  readonly #over: () => void;
  /** A write that waits for the other end. */
  #done: Done | null = null;

  /** @param stream paused: what comes waits for its first reader */
  constructor(stream: ClientStream, tally: Tally) {
    super({ allowHalfOpen: false });
    this.#stream = stream;
    this.#tally = tally;
    this.#over = tally.opened();
  }

  /** Something came; null: its end. */
  came(chunk: Buffer | null): void {
    if (chunk !== null) this.#tally.received(chunk.length);
    if (!this.push(chunk)) this.#stream.pause();
  }

  /** There is room again. */
  drained(): void {
    const done = this.#done;
    this.#done = null;
    done?.();
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#tally.sent(chunk.length);
    if (this.#stream.write(chunk)) done();
    else this.#done = done;
  }

  override _final(done: Done): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#over();
    // Ended both ways it closes by itself.
    if (!this.writableFinished || !this.readableEnded) this.#stream.reset(CODE.CANCEL);
    done(error);
  }
}
