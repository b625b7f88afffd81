import { Duplex } from 'node:stream';

/** A connection's bytes, whatever carries them, and when the other end was last heard of. */
export abstract class ByteStream extends Duplex {
  /** By the clock that the stream was made with; of any byte at all. */
  heardAt: number;
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    super({ allowHalfOpen: false, readableHighWaterMark: 256 * 1024, writableHighWaterMark: 256 * 1024 });
    this.#now = now;
    this.heardAt = now();
  }

  protected heard(): void {
    this.heardAt = this.#now();
  }
}
