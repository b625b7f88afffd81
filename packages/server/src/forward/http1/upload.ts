import type { Duplex, Readable } from 'node:stream';

/** A body on its way up: each side waits for the other. */
export class Upload {
  readonly #body: Readable;
  readonly #socket: Duplex;
  readonly #failed: (error: Error) => void;
  /** Bytes still to come by the head's word; NaN: in chunks. */
  #left: number;
  #over = false;
  #moved = true;

  /** @param length as the head says it; NaN: in chunks */
  constructor(body: Readable, length: number, socket: Duplex, failed: (error: Error) => void) {
    this.#body = body;
    this.#left = length;
    this.#socket = socket;
    this.#failed = failed;
    body
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose);
    socket.on('drain', this.#onDrain);
  }

  /** Whether all of it was sent. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether anything was sent since this was asked last. */
  hasMoved(): boolean {
    const moved = !this.#over && this.#moved;
    this.#moved = false;
    return moved;
  }

  /** Nobody wants the rest. */
  stop(): void {
    if (this.#over) return;
    this.#leave();
    this.#body.destroy();
  }

  #leave(): void {
    this.#over = true;
    this.#body
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', this.#onError)
      .off('close', this.#onClose);
    this.#socket.off('drain', this.#onDrain);
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#leave();
    this.#body.on('error', () => {}).destroy();
    this.#failed(error);
  }

  readonly #onData = (piece: Buffer | string): void => {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (chunk.length === 0) return;
    this.#moved = true;
    const socket = this.#socket;
    let more: boolean;
    if (Number.isNaN(this.#left)) {
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      more = socket.write('\r\n', 'latin1');
      socket.uncork();
    } else {
      this.#left -= chunk.length;
      // What is too much would be read as the next request.
      if (this.#left < 0) {
        this.#fail(new Error('the body is longer than its length'));
        return;
      }
      more = socket.write(chunk);
    }
    if (!more) this.#body.pause();
  };

  readonly #onEnd = (): void => {
    if (this.#left > 0) {
      this.#fail(new Error('the body is shorter than its length'));
      return;
    }
    this.#leave();
    if (Number.isNaN(this.#left)) this.#socket.write('0\r\n\r\n', 'latin1');
  };

  readonly #onDrain = (): void => void this.#body.resume();
  readonly #onError = (error: Error): void => this.#fail(error);
  readonly #onClose = (): void => this.#fail(new Error('the body ended before its end'));
}
