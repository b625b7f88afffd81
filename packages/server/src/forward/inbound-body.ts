import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { AppError } from '../platform/errors.ts';

/** As much of a body is kept: enough to find the model in it, and to send it again after a refused token. */
export const KEEP = 1024 * 1024;
/** A body of at most this, by its own word, is gathered before it is sent: one write instead of a stream. */
const SMALL = 64 * 1024;
/** As much is still read after the answer, so that a client that is sending hears it; then the connection ends. */
const LINGER = 16 * 1024 * 1024;

/** Whoever watches over the connection may say more than that it ended. */
const endOf = (error?: Error): AppError => (error instanceof AppError ? error : brokenOff());

const brokenOff = () => new AppError('bad_request', 'The request ended before its body did.');

const tooLarge = (bytes: number) =>
  new AppError('body_too_large', `The body is larger than the ${bytes} bytes that this upstream takes.`);

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
  #came = 0;
  #most = Number.POSITIVE_INFINITY;
  #complete: boolean;
  #overflown = false;
  #discarded = false;
  #stream: Readable | null = null;
  /** Every chunk passes here, in order; throwing refuses the request. */
  watch: ((chunk: Buffer) => void) | null = null;

  constructor(req: IncomingMessage, proceed: () => void) {
    this.#req = req;
    this.#proceed = proceed;
    const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
    this.#complete = (length === undefined || length === '0') && encoding === undefined;
    // A client that breaks off: node:http asks whether anybody hears of it, and tells a turn later, when whoever did may listen no more.
    if (!this.#complete) req.on('error', unheard);
  }

  get empty(): boolean {
    return this.#complete && this.#kept === 0;
  }

  /** `content-length` as the client gave it. */
  get length(): string | undefined {
    return this.#req.headers['content-length'];
  }

  /**
   * Refuses more than so many bytes, those that came already included: at once where the client says how many there are.
   * @throws AppError `body_too_large`
   */
  limit(bytes: number): void {
    this.#most = bytes;
    if (Math.max(this.#came, Number(this.length ?? 0)) > bytes) throw tooLarge(bytes);
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

  /** Whether it can be sent a second time: all of it is here, or will be. */
  get repeatable(): boolean {
    return !this.#overflown && (this.#complete || (this.length !== undefined && Number(this.length) <= KEEP));
  }

  /**
   * Reads on until `enough` says so, the body has ended, or as much as is ever kept was read.
   * @param enough asked after each chunk
   * @throws AppError `bad_request` when the client breaks off, and whatever the watch throws
   */
  gather(enough: () => boolean): Promise<void> {
    if (this.#complete || this.#kept >= KEEP) return Promise.resolve();
    const req = this.#req;
    if (req.destroyed) return Promise.reject(brokenOff());
    this.#proceed();
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        req.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
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
      const onClose = (error?: Error) => settle(endOf(error));
      req.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
      req.resume();
    });
  }

  /** All of a `repeatable` body. */
  whole(): Promise<void> {
    return this.gather(never);
  }

  /** For the upstream: whole where all of it is here, else a stream of what was kept and what still comes. */
  outbound(): Buffer | Readable | null {
    if (this.#complete) return this.#kept === 0 ? null : this.head;
    this.#proceed();
    return (this.#stream = this.#streamed());
  }

  /** Nobody wants what is left of it. */
  discard(): void {
    if (this.#complete || this.#discarded) return;
    this.#discarded = true;
    this.#stream?.destroy();
    const req = this.#req;
    let left = LINGER;
    req.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) req.socket.destroy();
    });
    // Once read from, it is ours to end: node:http would read what is left without a limit.
    req.read(0);
    req.resume();
  }

  #take(chunk: Buffer): void {
    this.#came += chunk.length;
    if (this.#came > this.#most) throw tooLarge(this.#most);
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
  #streamed(): Readable {
    const req = this.#req;
    let gathered: Buffer[] | null = this.#chunks.slice();
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
    const onClose = (error?: Error) => {
      if (!this.#complete) stream.destroy(endOf(error));
    };
    const stream = new Readable({
      highWaterMark: SMALL,
      read() {
        if (gathered !== null) {
          const before = gathered;
          gathered = null;
          req.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
          req.pause();
          for (const chunk of before) this.push(chunk);
          if (req.destroyed) return onClose();
        }
        req.resume();
      },
      destroy: (error, done) => {
        req.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
        // What has not come yet waits: for a second sending, or to be discarded.
        if (!this.#discarded) req.pause();
        done(error);
      },
    });
    // An exchange that is over listens no more, and an error that nobody hears would end the process.
    return stream.on('error', () => {});
  }
}

const never = (): boolean => false;
const unheard = (): void => {};
