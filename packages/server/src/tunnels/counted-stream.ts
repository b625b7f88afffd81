import { Duplex } from 'node:stream';
import type { Tally } from './tally.ts';

type Done = (error?: Error | null) => void;

/** The bytes of one WebSocket in a tunnel, counted on their way; what is slow at either end is slow at the other. */
export class CountedStream extends Duplex {
  readonly #stream: Duplex;
  readonly #tally: Tally;
  readonly #over: () => void;

  constructor(stream: Duplex, tally: Tally) {
    super({ allowHalfOpen: false });
    this.#stream = stream;
    this.#tally = tally;
    this.#over = tally.opened();
    stream.on('error', error => this.destroy(error));
    stream.on('close', () => {
      this.#over();
      // After an end, what came before it is still to be read here.
      if (!stream.readableEnded) this.destroy();
    });
  }

  override _read(): void {
    if (this.#stream.listenerCount('data') > 0) this.#stream.resume();
    else this.#listen();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#tally.sent(chunk.length);
    this.#stream.write(chunk, done);
  }

  override _final(done: Done): void {
    this.#stream.end(done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#over();
    this.#stream.destroy(error ?? undefined);
    done(error);
  }

  #listen(): void {
    this.#stream.on('data', (chunk: Buffer) => {
      this.#tally.received(chunk.length);
      if (!this.push(chunk)) this.#stream.pause();
    });
    this.#stream.on('end', () => this.push(null));
  }
}
