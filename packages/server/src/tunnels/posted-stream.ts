import type { ServerResponse } from 'node:http';
import { ByteStream } from '@sallyport/protocol/byte-stream.ts';

type Done = (error?: Error | null) => void;

/** The bytes of an agent that no WebSocket gets through to: toward it one streamed response, from it a request for each piece. */
export class PostedStream extends ByteStream {
  readonly #down: ServerResponse;

  /**
   * @param down its head is written already
   * @param now monotonic milliseconds
   */
  constructor(down: ServerResponse, now: () => number) {
    super(now);
    this.#down = down;
    down.on('close', () => this.destroy());
    down.on('error', () => this.destroy());
  }

  /** A piece that came up. */
  came(bytes: Buffer): void {
    this.arrived(bytes);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#down.write(chunk)) done();
    else this.#down.once('drain', done);
  }

  override _final(done: Done): void {
    this.#down.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#down.destroy();
    done(error);
  }
}
