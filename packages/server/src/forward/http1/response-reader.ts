import { checkHead, emptyFields, type Fields, readFields } from './field-lines.ts';
import { Malformed } from './malformed.ts';

/** Told of each response in its order: `head`, any number of `data`, `end`. */
export interface ResponseHandler {
  head(status: number, fields: Fields): void;
  /** A piece of the body as it lies in what the connection delivered. */
  data(piece: Buffer): void;
  /** @param persistent whether another request may follow on the connection */
  end(trailers: Fields, persistent: boolean): void;
}

type State = 'idle' | 'head' | 'length' | 'until-close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers';

/** All of a head, bytes; also all trailers of a body. */
const MAX_HEAD = 64 * 1024;
/** A chunk's size and its extensions. */
const MAX_CHUNK_LINE = 4 * 1024;
const BLANK_LINE = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const NO_TRAILERS = emptyFields();
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
const CHUNK_LINE = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i;

/**
 * Reads HTTP/1.1 responses (RFC 9112) off one connection, strictly: where two readers could disagree about where a message ends, it is malformed. Bytes
 * that nobody asked for are malformed too.
 */
export class ResponseReader {
  readonly #handler: ResponseHandler;
  #state: State = 'idle';
  #method = '';
  #persistent = false;
  /** Of the body, or of the chunk, still to come. */
  #left = 0;
  /** Came, and is not yet a whole head or line. */
  #held: Buffer | null = null;

  constructor(handler: ResponseHandler) {
    this.#handler = handler;
  }

  /** The next response answers a request of this method. */
  expect(method: string): void {
    this.#method = method;
    this.#state = 'head';
  }

  /** @throws Malformed */
  push(bytes: Buffer): void {
    let rest = this.#held === null ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = null;
    while (rest.length > 0) {
      const used = this.#step(rest);
      if (used === 0) {
        // What is pushed may be lent.
        this.#held = Buffer.from(rest);
        return;
      }
      rest = used === rest.length ? NOTHING : rest.subarray(used);
    }
  }

  /** The connection was ended in order. @returns whether that ends a response as it should (RFC 9112 section 6.3) */
  close(): boolean {
    if (this.#state !== 'until-close') return false;
    this.#finish(NO_TRAILERS);
    return true;
  }

  /** @returns how many bytes it took; 0 when it needs more */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes);
      case 'length':
      case 'chunk':
        return this.#body(bytes);
      case 'until-close':
        this.#handler.data(bytes);
        return bytes.length;
      case 'chunk-size':
        return this.#chunkSize(bytes);
      case 'chunk-end':
        return this.#chunkEnd(bytes);
      case 'trailers':
        return this.#trailers(bytes);
      case 'idle':
        throw new Malformed('bytes that belong to no response');
    }
  }

  #head(bytes: Buffer): number {
    const end = bytes.indexOf(BLANK_LINE);
    if (end < 0 ? bytes.length > MAX_HEAD : end > MAX_HEAD) throw new Malformed('too long a head');
    if (end < 0) return 0;
    const text = bytes.toString('latin1', 0, end);
    checkHead(text);
    const lineEnd = text.indexOf('\r\n');
    const line = STATUS_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
    if (line === null) throw new Malformed('no status line');
    const status = Number(line[2]);
    const fields = lineEnd < 0 ? emptyFields() : readFields(text, lineEnd + 2);
    // To this connection nothing is ever offered that it could become.
    if (status === 101) throw new Malformed('a switch of protocols that nobody asked for');
    if (status < 200) return end + 4;
    this.#frame(status, fields, line[1] === '1');
    const empty = this.#state === 'length' && this.#left === 0;
    this.#handler.head(status, fields);
    if (empty) this.#finish(NO_TRAILERS);
    return end + 4;
  }

  /** How the body ends (RFC 9112 section 6.3). */
  #frame(status: number, fields: Fields, modern: boolean): void {
    const { 'content-length': length, 'transfer-encoding': coding, connection } = fields;
    this.#persistent = modern && (connection === undefined || !/\bclose\b/i.test(String(connection)));
    this.#left = 0;
    if (length !== undefined && (typeof length !== 'string' || !/^\d{1,15}$/.test(length)))
      throw new Malformed('a length that is none');
    if (this.#method === 'HEAD' || status === 204 || status === 304) this.#state = 'length';
    else if (coding !== undefined) {
      if (!modern || String(coding).toLowerCase() !== 'chunked')
        throw new Malformed('a transfer coding that is not understood');
      // A length beside it may be what another reader goes by.
      if (length !== undefined) this.#persistent = false;
      this.#state = 'chunk-size';
    } else if (length !== undefined) {
      this.#state = 'length';
      this.#left = Number(length);
    } else {
      this.#state = 'until-close';
      this.#persistent = false;
    }
  }

  #body(bytes: Buffer): number {
    const used = Math.min(this.#left, bytes.length);
    this.#left -= used;
    this.#handler.data(used === bytes.length ? bytes : bytes.subarray(0, used));
    if (this.#left === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk-end';
      else if (this.#state === 'length') this.#finish(NO_TRAILERS);
    }
    return used;
  }

  #chunkSize(bytes: Buffer): number {
    const end = lineEndOf(bytes, MAX_CHUNK_LINE);
    if (end < 0) return 0;
    const line = bytes.toString('latin1', 0, end);
    checkHead(line);
    const size = CHUNK_LINE.exec(line)?.[1];
    if (size === undefined) throw new Malformed('a chunk size that is none');
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    return end + 2;
  }

  #chunkEnd(bytes: Buffer): number {
    if (bytes.length < 2) {
      if (bytes[0] !== 0x0d) throw new Malformed('a chunk that is longer than it said');
      return 0;
    }
    if (bytes[0] !== 0x0d || bytes[1] !== 0x0a) throw new Malformed('a chunk that is longer than it said');
    this.#state = 'chunk-size';
    return 2;
  }

  #trailers(bytes: Buffer): number {
    if (bytes.length === 1) return 0;
    if (bytes[0] === 0x0d && bytes[1] === 0x0a) {
      this.#finish(NO_TRAILERS);
      return 2;
    }
    const end = bytes.indexOf(BLANK_LINE);
    if (end < 0 ? bytes.length > MAX_HEAD : end > MAX_HEAD) throw new Malformed('too long trailers');
    if (end < 0) return 0;
    const text = bytes.toString('latin1', 0, end);
    checkHead(text);
    this.#finish(readFields(text, 0));
    return end + 4;
  }

  #finish(trailers: Fields): void {
    this.#state = 'idle';
    this.#handler.end(trailers, this.#persistent);
  }
}

const NOTHING = Buffer.alloc(0);

function lineEndOf(bytes: Buffer, most: number): number {
  const end = bytes.indexOf(LINE_END);
  if (end < 0 ? bytes.length > most : end > most) throw new Malformed('too long a line');
  return end;
}
