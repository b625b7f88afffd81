import { Duplex } from 'node:stream';

/** Bytes that one end holds for its reader. */
const HELD = 64 * 1024;

/**
 * Two ends of a connection within this process. Not `duplexPair` of node:stream: there, a write is read before it returns, in the middle of what
 * the writer is about (`ws` then closes twice), and an end that is destroyed leaves the other one waiting.
 */
export function connectionPair(): [Duplex, Duplex] {
  const [a, b] = [new End(), new End()];
  a.other = b;
  b.other = a;
  return [a, b];
}

class End extends Duplex {
  other!: End;
  /** The other end's write, which waits until this one is read. */
  #waiting: (() => void) | null = null;

  constructor() {
    super({ allowHalfOpen: false, readableHighWaterMark: HELD, writableHighWaterMark: HELD });
  }

  override _read(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    process.nextTick(() => this.other.#take(chunk, done));
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', done);
  }

  override _final(done: () => void): void {
    process.nextTick(() => {
      if (!this.other.destroyed) this.other.push(null);
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const whole = this.writableFinished && this.readableEnded;
    if (!whole) process.nextTick(() => this.other.destroy());
    this._read();
    done(error);
  }

  #take(chunk: Buffer, done: () => void): void {
    if (this.destroyed || this.push(chunk)) done();
    else this.#waiting = done;
  }
}
