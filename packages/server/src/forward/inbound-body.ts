import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { AppError } from '../platform/errors.ts';

/** As much of a body is kept: enough to find the model in it, and to send it again after a refused token. */
export const KEEP = 1024 * 1024;
/** A body of at most this, by its own word, is gathered before it is sent: one write instead of a stream. */
const SMALL = 64 * 1024;

/**
 * A request's body on its way through: its head can be read before it goes anywhere, and what is kept of it can be sent a second time.
 * Nothing is copied; what no longer fits is not kept.
 */
export class InboundBody {
  readonly #req: IncomingMessage;
  /** Asks a client that waits for it (RFC 9110 section 10.1.1) to send on. */
  readonly #proceed: () => void;
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #complete = false;
  #overflown = false;
  /** Every chunk passes here; throwing refuses the request. */
  watch: ((chunk: Buffer) => void) | null = null;

  constructor(req: IncomingMessage, proceed: () => void) {
    this.#req = req;
    this.#proceed = proceed;
    const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
    this.#complete = (length === undefined || length === '0') && encoding === undefined;
  }

  get empty(): boolean {
    return this.#complete && this.#kept === 0;
  }

  /** `content-length` as the client gave it. */
  get length(): string | undefined {
    return this.#req.headers['content-length'];
  }

  /** What has been kept so far, in one piece. */
  get head(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks.splice(0, this.#chunks.length, Buffer.concat(this.#chunks));
    return this.#chunks[0]!;
  }

  /** Small by its own word, so worth gathering. */
  get small(): boolean {
    return this.length !== undefined && Number(this.length) <= SMALL;
  }

  /**
   * Reads on until `enough` says so, the body has ended, or as much as is ever kept was read.
   * @param enough asked after each chunk
   */
  gather(enough: () => boolean): Promise<void> {
    if (this.#complete || this.#kept >= KEEP) return Promise.resolve();
    this.#proceed();
    const req = this.#req;
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        req.off('data', onData).off('end', onEnd).off('error', settle).off('close', onClose);
        req.pause();
        if (error) reject(error);
        else resolve();
      };
      const onData = (chunk: Buffer) => {
        try {
          this.#take(chunk);
          if (this.#kept >= KEEP || enough()) settle();
        } catch (error) {
          settle(error as Error);
        }
      };
      const onEnd = () => {
        this.#complete = true;
        settle();
      };
      const onClose = () => settle(new AppError('bad_request', 'The request ended before its body did.'));
      req.on('data', onData).on('end', onEnd).on('error', settle).on('close', onClose);
      req.resume();
    });
  }

  /** For the upstream: whole where all of it is here, else a stream of what was kept and what still comes. */
  outbound(): Buffer | Readable | null {
    if (this.#complete) return this.#kept === 0 ? null : this.head;
    this.#proceed();
    return this.#stream();
  }

  /** Whether all of it is here, so that it can be sent a second time. */
  get repeatable(): boolean {
    return this.#complete && !this.#overflown;
  }

  #take(chunk: Buffer): void {
    this.watch?.(chunk);
    if (this.#overflown) return;
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
  }

  /** Keeps while it streams; past the limit all of it is let go. */
  #passing(chunk: Buffer): void {
    this.#take(chunk);
    if (this.#kept > KEEP) {
      this.#overflown = true;
      this.#chunks.length = 0;
    }
  }

  /** Its own stream: undici destroys a body when the exchange fails, and destroying the request would cut the client off unanswered. */
  #stream(): Readable {
    const req = this.#req;
    let gathered: Buffer[] | null = this.#chunks.slice();
    const off = () => req.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    const onData = (chunk: Buffer) => {
      try {
        this.#passing(chunk);
      } catch (error) {
        stream.destroy(error as Error);
        return;
      }
      if (!stream.push(chunk)) req.pause();
    };
    const onEnd = () => {
      this.#complete = true;
      stream.push(null);
    };
    const onError = (error: Error) => stream.destroy(error);
    const onClose = () => {
      if (!this.#complete)
        stream.destroy(new AppError('bad_request', 'The request ended before its body did.'));
    };
    const stream = new Readable({
      highWaterMark: SMALL,
      read() {
        if (gathered !== null) {
          const before = gathered;
          gathered = null;
          req.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
          req.pause();
          for (const chunk of before) this.push(chunk);
        }
        req.resume();
      },
      destroy(error, done) {
        off();
        // What the client still sends is read and dropped, so that it can hear the answer.
        if (!req.destroyed) req.resume();
        done(error);
      },
    });
    return stream;
  }
}
