import { CODE, FRAME_BYTES, Http2Error, WIDEST_WINDOW } from './codes.ts';
import { type Fields, NO_FIELDS } from './fields.ts';
import { Unread } from './unread.ts';

/** Bytes of a body that may wait for the other end before whoever writes it is asked to wait, too … */
const MANY = 64 * 1024;
/** … and when they are few again. */
const FEW = 16 * 1024;
/**
 * Takes what comes on one stream: any number of data, then `end` or, at any time, `broken`, once. It is told nothing once it has reset its stream.
 */
export interface BodyTaker {
  /** What it holds of is its own. */
  data(chunk: Buffer): void;
  end(trailers: Fields): void;
  broken(error: Http2Error): void;
  /** Few of the bytes that it wrote wait, after `write` said that there were many. */
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
 * A request and its answer (RFC 9113 section 5), both directions in one place, since they end together. Either end writes, pauses, resumes, and may
 * reset it at any time; without a Node stream around it, which costs more than everything else here.
 */
export abstract class Http2Stream {
  protected readonly host: StreamHost;
  protected taker: BodyTaker;
  /** Zero until it has one. */
  id = 0;
  /** What its head will be, names and values in turn; null once it is sent, or where none is written yet. */
  headers: readonly string[] | null = null;
  /** What is to follow the body; null: nothing. */
  trailing: readonly string[] | null = null;
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
  /** Another one at its place in its connection's table. */
  beside: Http2Stream | null = null;
  #pieces: Buffer[] = [];
  #waiting = 0;
  /** Somebody waits to be told that few bytes wait. */
  #full = false;
  /** All of the body was written. */
  #ended = false;
  /** All of it was sent. */
  #sent = false;
  /** All of the other end's came … */
  #came = false;
  /** … and was handed on. */
  #finished = false;
  /** Its taker is told nothing any more. */
  #told = false;
  /** It is no longer of its connection. */
  #closed = false;
  /** Its owner knows of both. */
  #left = false;
  #paused = false;
  #unread: Unread | null = null;
  /** Of what comes, still to come; NaN: nobody knows. */
  #due = Number.NaN;
  #trailers: Fields = NO_FIELDS;

  constructor(host: StreamHost, taker: BodyTaker) {
    this.host = host;
    this.taker = taker;
  }

  /** Whether its taker hears nothing any more, where all of the other end's has come: else it is told how the stream ends. */
  protected abstract readonly overAtEnd: boolean;
  /** Whether data may come at all. */
  protected abstract readonly takesData: boolean;
  /** RST_STREAM. */
  abstract resetCame(code: number): void;

  /** Bytes of the body that are written and not sent. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether all of this end's was sent. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Whether nothing can be sent any more: it is whole, or broken. */
  get closed(): boolean {
    return this.#closed;
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
    this.host.ready(this);
    if (this.#waiting <= MANY) return true;
    this.#full = true;
    return false;
  }

  /** @param chunk the last piece */
  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.write(chunk);
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#closed) this.host.ready(this);
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
    this.close(code);
  }

  /** It cannot go on. @param tell whether the other end is told of it */
  break(error: Http2Error, tell: boolean): void {
    const told = this.#told;
    this.#told = true;
    this.#unread = null;
    this.close(tell ? error.code : null);
    if (!told) this.taker.broken(error);
  }

  /** Whether there is something that its own window lets be sent. */
  get sendable(): boolean {
    if (this.headers !== null) return this.id !== 0;
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
    if (this.#ended && this.#waiting === 0 && this.trailing === null) this.#sent = true;
    return length;
  }

  /** After a piece, or the end, was sent. */
  afterTake(): void {
    if (this.#sent) {
      if (this.#came) this.close(null);
    } else if (this.#full && this.#waiting <= FEW) {
      this.#full = false;
      this.taker.drained();
    }
  }

  /** It has its number. */
  opened(sendWindow: number, window: number): void {
    this.sendWindow = sendWindow;
    this.window = window;
  }

  /** Its head is about to be sent. @returns whether that is all there is */
  headSent(): boolean {
    this.headers = null;
    this.#sent = this.#ended && this.#waiting === 0 && this.trailing === null;
    return this.#sent;
  }

  /** What follows the body is about to be sent. */
  trailersSent(): void {
    this.trailing = null;
    this.#sent = true;
  }

  /** @throws Http2Error FLOW_CONTROL_ERROR (section 6.9.1) */
  widen(by: number): void {
    this.sendWindow += by;
    if (this.sendWindow > WIDEST_WINDOW)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window came that is wider than any may be');
  }

  /** How long the body is that comes. */
  protected expect(length: number): void {
    this.#due = length;
  }

  /** Whether all of the other end's has come. */
  get came(): boolean {
    return this.#came;
  }

  protected trailersCame(fields: Fields): void {
    this.#trailers = fields;
    this.endCame();
  }

  /** @param length of the whole frame (section 6.9.1) @returns false when it may not come: then the stream is broken */
  dataBegins(length: number): boolean {
    this.window -= length;
    if (this.#came) this.violated(CODE.STREAM_CLOSED, 'more came behind its end');
    else if (!this.takesData && !this.#told) this.violated(CODE.PROTOCOL_ERROR, 'data came before its head');
    else if (this.window < 0) this.violated(CODE.FLOW_CONTROL_ERROR, 'it passes over its window');
    return !this.#closed;
  }

  dataCame(piece: Buffer): void {
    if (this.#told) return;
    this.#due -= piece.length;
    if (this.#due < 0) this.violated(CODE.PROTOCOL_ERROR, 'its body is longer than its length');
    else if (this.#paused || this.#unread?.empty === false) (this.#unread ??= new Unread()).put(piece);
    else this.#deliver(piece);
  }

  /** END_STREAM. */
  endCame(): void {
    if (this.#told || this.#came) return;
    if (this.#due > 0) {
      this.violated(CODE.PROTOCOL_ERROR, 'its body is shorter than its length');
      return;
    }
    this.#came = true;
    if (this.#sent) this.close(null);
    if (!this.#paused && this.#unread?.empty !== false) this.#finish();
  }

  /** So much was read, or was nothing to read. */
  give(bytes: number): void {
    if (this.#came || this.#closed) return;
    this.consumed += bytes;
    if (this.consumed >= this.host.topUpAfter) this.host.topUp(this);
  }

  #deliver(piece: Buffer): void {
    this.taker.data(piece);
    this.give(piece.length);
  }

  #finish(): void {
    if (this.#told || this.#finished) return;
    this.#finished = true;
    this.#told = this.overAtEnd;
    this.taker.end(this.#trailers);
    this.#leave();
  }

  protected brokenBy(code: number): void {
    this.break(new Http2Error(code, 'it was reset'), false);
  }

  protected violated(code: number, how: string): void {
    this.break(new Http2Error(code, how), true);
  }

  /** @param code what the other end is told; null: nothing */
  protected close(code: number | null): void {
    if (this.#closed) {
      this.#leave();
      return;
    }
    this.#closed = true;
    this.#pieces = [];
    this.#waiting = 0;
    if (code !== null && this.id !== 0) this.host.sendReset(this, code);
    this.host.closed(this);
    this.#leave();
  }

  #leave(): void {
    if (this.#left || !this.#closed || !(this.#told || this.#finished)) return;
    this.#left = true;
    this.host.left(this);
  }
}
