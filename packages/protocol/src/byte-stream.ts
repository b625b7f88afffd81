import { Duplex } from 'node:stream';
import { TUNNEL_WINDOW } from './limits.ts';

/** A whole window, and the frames around it. */
const MOST_UNREAD = 2 * TUNNEL_WINDOW;

/**
 * A connection's bytes, whatever carries them, and when the other end was last heard of.
 *
 * What comes is taken always, also while HTTP/2 does not read: node:http2 does not while it writes, and two ends that each wait for the other to
 * read would wait for ever. What may lie here is bounded by HTTP/2's windows; a peer that passes over them is cut off.
 */
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

  override _read(): void {}

  /** Bytes that came. */
  protected arrived(bytes: Buffer): void {
    this.heardAt = this.#now();
    if (this.destroyed) return;
    this.push(bytes);
    if (this.readableLength > MOST_UNREAD) this.destroy(new Error('the other end passes over its window'));
  }
}
