import { CODE, FRAME_BYTES, Http2Error, WIDEST_WINDOW } from './codes.ts';
import type { Fields, ResponseHead } from './response-head.ts';
import { Unread } from './unread.ts';

/** Bytes of a body that may wait for the other end before whoever writes it is asked to wait, too … */
const MANY = 64 * 1024;
/** … and when they are few again. */
const FEW = 16 * 1024;
/** Hints before an answer (RFC 9110 section 15.2). */
const MOST_HINTS = 100;

/**
 * Takes the answer to one request: any number of data behind its head, then `end` or, at any time, `broken`, once. It is told nothing once it
 * has reset its stream.
 */
export interface StreamTaker {
  head(status: number, fields: Fields): void;
  /** What it holds of is its own. */
  data(chunk: Buffer): void;
  end(trailers: Fields): void;
  broken(error: Http2Error): void;
  /** Few of the body's bytes wait, after `write` said that there were many. */
  drained(): void;
}

/** What a stream asks of its connection. */
export interface StreamHost {
  /** It has something to send. */
  ready(stream: Http2Stream): void;
  /** Of its window so much was read that it is to be given back. */
  topUp(stream: Http2Stream): void;
  /** Bytes read after which that is so. */
  readonly topUpAfter: number;
  /** Tells the other end. Only of one that was opened. */
  sendReset(stream: Http2Stream, code: number): void;
  /** Nothing more is to come or to go for it. */
  closed(stream: Http2Stream): void;
  /** And its taker has been told all. */
  left(stream: Http2Stream): void;
}

/**
 * A request and its answer (RFC 9113 section 5), both directions in one place, since they end together. Who asks writes, pauses, resumes, and may
 * reset it at any time; without a Node stream around it, which costs more than everything else here.
 */
export class Http2Stream {
  readonly #host: StreamHost;
  readonly #taker: StreamTaker;
  /** Zero until its head is sent. */
  id = 0;
  /** What its head will be; null once it is sent. */
  headers: readonly string[] | null;
  /** What may be sent (section 6.9). */
  sendWindow = 0;
  /** What may come. */
  window = 0;
  /** Whether it waits for its turn to send. */
  queued = false;
  /** Read, and not given back yet. */
  consumed = 0;
  /** Its place in a list of its owner's; below zero: in none. */
  place = -1;
  #pieces: Buffer[] = [];
  #waiting = 0;
  /** Somebody waits to be told that few bytes wait. */
  #full = false;
  /** All of the body was written. */
  #ended = false;
  /** All of it was sent. */
  #sent = false;
  /** All of the answer came. */
  #came = false;
  /** Its taker is told nothing any more. */
  #told = false;
  /** It is no longer of its connection. */
  #closed = false;
  /** Its owner knows of both. */
  #left = false;
  #paused = false;
  #unread: Unread | null = null;
  #answered = false;
  /** What answers a HEAD has a length and no body (RFC 9110 section 9.3.2). */
  readonly #bodiless: boolean;
  #hints = 0;
  /** Of the body, still to come; NaN: nobody knows. */
  #due = Number.NaN;
  #trailers: Fields = NO_TRAILERS;

  /** @param headers names and values in turn; the method is the first */
  constructor(host: StreamHost, taker: StreamTaker, headers: readonly string[], endStream: boolean) {
    this.#host = host;
    this.#taker = taker;
    this.headers = headers;
    this.#ended = endStream;
    this.#bodiless = headers[1] === 'HEAD';
  }

  /** Bytes of the body that are written and not sent. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether all of the request was sent. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Whether nothing of it is under way any more. */
  get over(): boolean {
    return this.#told;
  }

  /** @returns false when it is better to wait until it has `drained` */
  write(chunk: Buffer): boolean {
    if (this.#ended || this.#closed || chunk.length === 0) return true;
    this.#pieces.push(chunk);
    this.#waiting += chunk.length;
    this.#host.ready(this);
    if (this.#waiting <= MANY) return true;
    this.#full = true;
    return false;
  }

  /** @param chunk the last piece */
  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.write(chunk);
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#closed) this.#host.ready(this);
  }

  pause(): void {
    this.#paused = true;
  }

  /** What has come meanwhile follows when its caller is done. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#came || this.#unread?.empty === false) process.nextTick(Http2Stream.#goOn, this);
  }

  static #goOn(stream: Http2Stream): void {
    stream.#readOn();
  }

  #readOn(): void {
    const unread = this.#unread;
    while (unread !== null && !unread.empty && !this.#paused && !this.#told) this.#deliver(unread.take());
    if (this.#came && !this.#paused) this.#finish();
  }

  /** Nobody wants it any more; its taker hears nothing of that. */
  reset(code: number): void {
    this.#told = true;
    this.#unread = null;
    this.#close(code);
  }

  /** It cannot go on. @param tell whether the other end is told of it */
  break(error: Http2Error, tell: boolean): void {
    const told = this.#told;
    this.#told = true;
    this.#unread = null;
    this.#close(tell ? error.code : null);
    if (!told) this.#taker.broken(error);
  }

  /** Whether there is something that its own window lets be sent. */
  get sendable(): boolean {
    return this.#waiting > 0 ? this.sendWindow > 0 : this.#ended && !this.#sent;
  }

  /**
   * The next piece of the body, into a frame.
   * @param most bytes that the connection lets be sent
   * @returns how many there are; whether it is the end, `sent` says
   */
  take(into: Buffer, at: number, most: number): number {
    let room = Math.min(most, FRAME_BYTES, this.sendWindow, this.#waiting);
    const length = Math.max(0, room);
    while (room > 0) {
      const piece = this.#pieces[0]!;
      const part = Math.min(room, piece.length);
      piece.copy(into, at, 0, part);
      if (part === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(part);
      at += part;
      room -= part;
    }
    this.#waiting -= length;
    this.sendWindow -= length;
    if (this.#ended && this.#waiting === 0) this.#sent = true;
    return length;
  }

  /** After a piece, or the end, was sent. */
  afterTake(): void {
    if (this.#sent) {
      if (this.#came) this.#close(null);
    } else if (this.#full && this.#waiting <= FEW) {
      this.#full = false;
      this.#taker.drained();
    }
  }

  /** Its head is about to be sent. @returns whether that is all there is */
  open(sendWindow: number, window: number): boolean {
    this.sendWindow = sendWindow;
    this.window = window;
    this.headers = null;
    this.#sent = this.#ended && this.#waiting === 0;
    return this.#sent;
  }

  /** @throws Http2Error FLOW_CONTROL_ERROR (section 6.9.1) */
  widen(by: number): void {
    this.sendWindow += by;
    if (this.sendWindow > WIDEST_WINDOW)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window came that is wider than any may be');
  }

  /** A block of fields came for it (section 8.1). */
  headCame(head: ResponseHead, endStream: boolean): void {
    if (this.#came) this.#violated(CODE.STREAM_CLOSED, 'more came behind the end of an answer');
    else if (head.wrong !== null) this.#violated(CODE.PROTOCOL_ERROR, `it has ${head.wrong}`);
    else if (this.#answered) this.#trailersCame(head, endStream);
    else if (head.status < 200) this.#hintCame(head, endStream);
    else this.#answerCame(head, endStream);
  }

  #hintCame({ status }: ResponseHead, endStream: boolean): void {
    // Section 8.6: there is no 101 in HTTP/2.
    if (status < 100 || status === 101 || endStream)
      this.#violated(CODE.PROTOCOL_ERROR, 'it has no status of an answer');
    else if (++this.#hints > MOST_HINTS)
      this.#violated(CODE.ENHANCE_YOUR_CALM, 'it has more hints before it than anybody needs');
  }

  #answerCame({ status, fields, length }: ResponseHead, endStream: boolean): void {
    this.#answered = true;
    if (this.#bodiless || status === 204 || status === 304) this.#due = 0;
    else if (length >= 0) this.#due = length;
    // RFC 9110 section 8.6.
    if (status === 204 && length > 0) {
      this.#violated(CODE.PROTOCOL_ERROR, 'it has a length where there is no body');
      return;
    }
    this.#taker.head(status, fields);
    if (endStream) this.endCame();
  }

  #trailersCame({ status, fields }: ResponseHead, endStream: boolean): void {
    if (status !== 0 || !endStream) {
      this.#violated(CODE.PROTOCOL_ERROR, 'it has a second head');
      return;
    }
    this.#trailers = fields;
    this.endCame();
  }

  /** @param length of the whole frame (section 6.9.1) @returns false when it may not come: then the stream is broken */
  dataBegins(length: number): boolean {
    this.window -= length;
    if (this.#came) this.#violated(CODE.STREAM_CLOSED, 'more came behind the end of an answer');
    else if (!this.#answered && !this.#told) this.#violated(CODE.PROTOCOL_ERROR, 'data came before its head');
    else if (this.window < 0) this.#violated(CODE.FLOW_CONTROL_ERROR, 'it passes over its window');
    return !this.#closed;
  }

  dataCame(piece: Buffer): void {
    if (this.#told) return;
    this.#due -= piece.length;
    if (this.#due < 0) this.#violated(CODE.PROTOCOL_ERROR, 'its body is longer than its length');
    else if (this.#paused || this.#unread?.empty === false) (this.#unread ??= new Unread()).put(piece);
    else this.#deliver(piece);
  }

  /** END_STREAM. */
  endCame(): void {
    if (this.#told || this.#came) return;
    if (this.#due > 0) {
      this.#violated(CODE.PROTOCOL_ERROR, 'its body is shorter than its length');
      return;
    }
    this.#came = true;
    if (this.#sent) this.#close(null);
    if (!this.#paused && this.#unread?.empty !== false) this.#finish();
  }

  /** RST_STREAM. What came whole before is whole, and need not be asked for any further (section 8.1). */
  resetCame(code: number): void {
    if (this.#came) this.#close(null);
    else this.break(new Http2Error(code, 'it was reset'), false);
  }

  /** So much was read, or was nothing to read. */
  give(bytes: number): void {
    if (this.#came || this.#closed) return;
    this.consumed += bytes;
    if (this.consumed >= this.#host.topUpAfter) this.#host.topUp(this);
  }

  #deliver(piece: Buffer): void {
    this.#taker.data(piece);
    this.give(piece.length);
  }

  #finish(): void {
    if (this.#told) return;
    this.#told = true;
    this.#taker.end(this.#trailers);
    this.#leave();
  }

  #violated(code: number, how: string): void {
    this.break(new Http2Error(code, how), true);
  }

  /** @param code what the other end is told; null: nothing */
  #close(code: number | null): void {
    if (this.#closed) {
      this.#leave();
      return;
    }
    this.#closed = true;
    this.#pieces = [];
    this.#waiting = 0;
    if (code !== null && this.id !== 0) this.#host.sendReset(this, code);
    this.#host.closed(this);
    this.#leave();
  }

  #leave(): void {
    if (this.#left || !this.#closed || !this.#told) return;
    this.#left = true;
    this.#host.left(this);
  }
}

const NO_TRAILERS: Fields = Object.freeze(Object.create(null) as Fields);
