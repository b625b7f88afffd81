import type { IncomingMessage } from 'node:http';
import { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { SUBPROTOCOL, UP_BYTES } from '@sallyport/protocol/limits.ts';
import { type Asked, ask, textOfAnswer } from './ask.ts';
import { Refused } from './refused.ts';

type Done = (error?: Error | null) => void;

/**
 * Opens a byte stream where no WebSocket gets through: what comes down is one streamed response, what goes up a request for each piece, one
 * after the other.
 * @param now monotonic milliseconds
 * @throws Refused, or the network's error
 */
export async function dialPosted(asked: Asked, now: () => number): Promise<ByteStream> {
  const headers = { ...asked.headers, 'sallyport-protocol': SUBPROTOCOL };
  const begun = await ask({ ...asked, headers }, 'POST', '', null);
  const text = await textOfAnswer(begun);
  if (begun.statusCode !== 201) throw new Refused(begun.statusCode!, text, begun.statusMessage ?? '');
  const { id } = JSON.parse(text) as { id: string };
  const down = await ask(asked, 'GET', `/${encodeURIComponent(id)}/down`, null);
  if (down.statusCode !== 200)
    throw new Refused(down.statusCode!, await textOfAnswer(down), down.statusMessage ?? '');
  return new PostedStream(asked, id, down, now);
}

class PostedStream extends ByteStream {
  readonly #asked: Asked;
  readonly #id: string;
  readonly #down: IncomingMessage;
  #next = 0;

  constructor(asked: Asked, id: string, down: IncomingMessage, now: () => number) {
    super(now);
    this.#asked = asked;
    this.#id = id;
    this.#down = down;
    down.on('data', (chunk: Buffer) => this.arrived(chunk));
    down.on('close', () => this.destroy());
    down.on('error', () => this.destroy());
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#post(chunk).then(
      () => done(),
      (error: Error) => done(error),
    );
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#down.destroy();
    done(error);
  }

  async #post(bytes: Buffer): Promise<void> {
    for (let from = 0; from < bytes.length; from += UP_BYTES) {
      const path = `/${this.#id}/up?n=${this.#next++}`;
      const response = await ask(this.#asked, 'POST', path, bytes.subarray(from, from + UP_BYTES));
      response.resume();
      if (response.statusCode !== 204) throw new Error(`the gateway answered ${response.statusCode}`);
    }
  }
}
