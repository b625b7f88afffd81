import type { WebSocket } from 'ws';
import { ByteStream } from './byte-stream.ts';
import { SENT_MESSAGE_BYTES } from './limits.ts';

type Done = (error?: Error | null) => void;

/**
 * The bytes of one WebSocket: what its binary messages hold, one after the other; where one message ends means nothing.
 *
 * A write is done when the system has taken it, so that HTTP/2 decides late what goes next.
 */
export class SocketStream extends ByteStream {
  readonly #socket: WebSocket;

  /** @param now monotonic milliseconds */
  constructor(socket: WebSocket, now: () => number) {
    super(now);
    this.#socket = socket;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) {
        // RFC 6455 section 7.4.1: data of a kind that is not taken here.
        socket.close(1003, 'binary messages only');
        this.destroy(new Error('a text message came, where bytes were expected'));
      } else this.arrived(data);
    });
    socket.on('close', () => this.destroy());
    socket.on('error', error => this.destroy(error));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (chunk.length <= SENT_MESSAGE_BYTES) this.#send(chunk, done);
    else this.#sendPieces(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#sendPieces(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Done): void {
    this.#socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    // A closing handshake that is under way goes on; a connection that broke is not waited for.
    if (error !== null || this.#socket.readyState === this.#socket.OPEN) this.#socket.terminate();
    done(error);
  }

  #sendPieces(bytes: Buffer, done: Done): void {
    let from = 0;
    for (; bytes.length - from > SENT_MESSAGE_BYTES; from += SENT_MESSAGE_BYTES)
      this.#send(bytes.subarray(from, from + SENT_MESSAGE_BYTES), ignore);
    this.#send(bytes.subarray(from), done);
  }

  #send(bytes: Buffer, done: Done): void {
    if (this.#socket.readyState !== this.#socket.OPEN) done(new Error('it was closed by the other end'));
    else this.#socket.send(bytes, { binary: true, compress: false }, done);
  }
}

const ignore = () => {};
