import type { Duplex } from 'node:stream';
import type { Flow, OutboundRequest, ResponseReceiver } from '../../terms/transport.ts';
import type { Fields } from './field-lines.ts';
import { requestHead } from './request-head.ts';
import { type ResponseHandler, ResponseReader } from './response-reader.ts';
import { Upload } from './upload.ts';

/** Bytes up to which copying a body into its head's string is cheaper than a second buffer. */
const ONE_WRITE = 16 * 1024;
/** Idle, milliseconds: less than any server's own (uvicorn's is 5 s): a connection that it closes just then would cost a request, since none is sent twice. */
const KEEP_ALIVE = 4_000;
/** How long a stream may be silent; model answers think for minutes, and a client that left is noticed without it. */
const SILENCE = 15 * 60_000;

/** What a connection tells the pool that owns it. */
export interface Owner {
  /** The coarse time, milliseconds. */
  readonly now: number;
  /** It may be used again, after a turn of the event loop. */
  rest(connection: Connection): void;
  /** It is gone. */
  gone(connection: Connection): void;
}

/**
 * One kept-alive connection to an upstream: a request at a time, none sent twice. Between two of them it rests for a turn of the event loop, in which
 * bytes that nobody asked for show themselves.
 */
export class Connection implements ResponseHandler {
  readonly #socket: Duplex;
  readonly #lent: boolean;
  readonly #host: string;
  readonly #owner: Owner;
  readonly #reader: ResponseReader;
  #exchange: Exchanging | null = null;
  #dead = false;
  /** For the head, milliseconds; 0 once it came. */
  #headersTimeout = 0;
  /** When it is given up unless something happens. */
  #deadline = Number.POSITIVE_INFINITY;
  #keepAlive = KEEP_ALIVE;

  /**
   * @param socket connected
   * @param lent whether what is received is another's when the call is over
   */
  constructor(socket: Duplex, lent: boolean, host: string, owner: Owner) {
    this.#socket = socket;
    this.#lent = lent;
    this.#host = host;
    this.#owner = owner;
    this.#reader = new ResponseReader(this);
    socket.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Idle, whether its server still expects to be asked on it. */
  get usable(): boolean {
    return !this.#dead && this.#deadline > this.#owner.now;
  }

  /** @returns false when nobody wants the answer any more: then nothing was sent */
  send(request: OutboundRequest, receiver: ResponseReceiver): boolean {
    const exchange = new Exchanging(this, receiver);
    if (!receiver.begin(exchange)) return false;
    const { method, path, headers, body, headersTimeout } = request;
    const length = body === null ? null : Buffer.isBuffer(body) ? body.length : lengthOf(headers);
    const head = requestHead(method, path, this.#host, headers, length);
    const socket = this.#socket;
    this.#exchange = exchange;
    this.#headersTimeout = headersTimeout;
    this.#deadline = this.#owner.now + headersTimeout;
    this.#reader.expect(method);
    if (body === null) socket.write(head, 'latin1');
    else if (!Buffer.isBuffer(body)) {
      socket.write(head, 'latin1');
      exchange.upload = new Upload(body, length!, socket, error => this.fail(exchange, error));
    } else if (body.length <= ONE_WRITE) socket.write(head + body.toString('latin1'), 'latin1');
    else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    }
    return true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#heard();
    this.#socket.resume();
  }

  /** Something moved: its patience begins anew. */
  #heard(): void {
    this.#deadline = this.#owner.now + (this.#headersTimeout || SILENCE);
  }

  /** Ends the exchange, and the connection with it: what is left of the answer is not waited for. */
  fail(exchange: Exchanging, error: Error): void {
    if (exchange.over) return;
    exchange.over = true;
    this.destroy();
    exchange.upload?.stop();
    exchange.receiver.error(error);
  }

  /** Looked at every now and then. */
  expire(now: number): void {
    if (now < this.#deadline) return;
    const exchange = this.#exchange;
    if (exchange === null) this.destroy();
    else if (exchange.upload?.hasMoved()) this.#heard();
    else if (!this.#socket.isPaused()) this.fail(exchange, timedOut());
  }

  destroy(): void {
    this.#dead = true;
    this.#socket.destroy();
  }

  head(status: number, fields: Fields): void {
    this.#headersTimeout = 0;
    this.#heard();
    const hint = fields['keep-alive'];
    if (hint !== undefined) this.#keepAlive = keepAliveOf(String(hint));
    const { over, receiver } = this.#exchange!;
    if (!over) receiver.head(status, fields);
  }

  data(piece: Buffer): void {
    const { over, receiver } = this.#exchange!;
    this.#heard();
    if (!over) receiver.data(this.#lent ? Buffer.from(piece) : piece);
  }

  end(trailers: Fields, persistent: boolean): void {
    const exchange = this.#exchange!;
    this.#exchange = null;
    const sent = exchange.upload === null || exchange.upload.over;
    if (this.#dead || !persistent || !sent || this.#keepAlive <= 0) this.destroy();
    else {
      this.#deadline = this.#owner.now + this.#keepAlive;
      // Its receiver may have paused it, and now nobody would go on.
      this.#socket.resume();
      this.#owner.rest(this);
    }
    if (exchange.over) return;
    exchange.over = true;
    exchange.upload?.stop();
    exchange.receiver.end(trailers);
  }

  received(bytes: Buffer): void {
    if (this.#dead) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#broken(error as Error);
    }
  }

  readonly #onEnd = (): void => {
    if (!this.#dead && !this.#reader.close()) this.#broken(hungUp());
  };

  readonly #onError = (error: Error): void => this.#broken(error);

  readonly #onClose = (): void => {
    this.#broken(hungUp());
    this.#owner.gone(this);
  };

  #broken(error: Error): void {
    this.destroy();
    const exchange = this.#exchange;
    this.#exchange = null;
    if (exchange !== null) this.fail(exchange, error);
  }
}

/** One request and its answer; the receiver's hold on them, which ends with them. */
export class Exchanging implements Flow {
  readonly #connection: Connection;
  readonly receiver: ResponseReceiver;
  upload: Upload | null = null;
  over = false;

  constructor(connection: Connection, receiver: ResponseReceiver) {
    this.#connection = connection;
    this.receiver = receiver;
  }

  pause(): void {
    if (!this.over) this.#connection.pause();
  }

  resume(): void {
    if (!this.over) this.#connection.resume();
  }

  abort(reason: Error): void {
    this.#connection.fail(this, reason);
  }
}

/** By the word of a header; NaN: nobody knows it. */
function lengthOf(headers: readonly string[]): number {
  for (let at = 0; at < headers.length; at += 2)
    if (headers[at] === 'content-length') return Number(headers[at + 1]);
  return Number.NaN;
}

/** What a server says of its patience, less a second for the way (`Keep-Alive: timeout=5`). */
function keepAliveOf(hint: string): number {
  const seconds = /\btimeout=(\d{1,6})/i.exec(hint)?.[1];
  return seconds === undefined ? KEEP_ALIVE : Math.min(KEEP_ALIVE, Number(seconds) * 1_000 - 1_000);
}

const hungUp = () => Object.assign(new Error('the other side hung up'), { code: 'ECONNRESET' });
const timedOut = () => Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
