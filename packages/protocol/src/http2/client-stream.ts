import { CODE } from './codes.ts';
import type { Fields } from './fields.ts';
import type { ResponseHead } from './response-head.ts';
import { type BodyTaker, Http2Stream, type StreamHost } from './stream.ts';

/** Hints before an answer (RFC 9110 section 15.2). */
const MOST_HINTS = 100;

/** Takes the answer to one request. */
export interface StreamTaker extends BodyTaker {
  head(status: number, fields: Fields): void;
}

/** A request that this end makes, and its answer. */
export class ClientStream extends Http2Stream {
  declare protected readonly taker: StreamTaker;
  protected readonly overAtEnd = true;
  #answered = false;
  /** What answers a HEAD has a length and no body (RFC 9110 section 9.3.2). */
  readonly #bodiless: boolean;
  #hints = 0;

  /** @param headers names and values in turn; the method is the first */
  constructor(host: StreamHost, taker: StreamTaker, headers: readonly string[], endStream: boolean) {
    super(host, taker);
    this.headers = headers;
    this.#bodiless = headers[1] === 'HEAD';
    if (endStream) this.end();
  }

  protected get takesData(): boolean {
    return this.#answered;
  }

  /** A block of fields came for it (RFC 9113 section 8.1). */
  headCame(head: ResponseHead, endStream: boolean): void {
    if (this.came) this.violated(CODE.STREAM_CLOSED, 'more came behind its end');
    else if (head.wrong !== null) this.violated(CODE.PROTOCOL_ERROR, `it has ${head.wrong}`);
    else if (this.#answered) this.#trailersCame(head, endStream);
    else if (head.status < 200) this.#hintCame(head, endStream);
    else this.#answerCame(head, endStream);
  }

  #hintCame({ status }: ResponseHead, endStream: boolean): void {
    // Section 8.6: there is no 101 in HTTP/2.
    if (status < 100 || status === 101 || endStream)
      this.violated(CODE.PROTOCOL_ERROR, 'it has no status of an answer');
    else if (++this.#hints > MOST_HINTS)
      this.violated(CODE.ENHANCE_YOUR_CALM, 'it has more hints before it than anybody needs');
  }

  #answerCame({ status, fields, length }: ResponseHead, endStream: boolean): void {
    this.#answered = true;
    if (this.#bodiless || status === 204 || status === 304) this.expect(0);
    else if (length >= 0) this.expect(length);
    // RFC 9110 section 8.6.
    if (status === 204 && length > 0) {
      this.violated(CODE.PROTOCOL_ERROR, 'it has a length where there is no body');
      return;
    }
    this.taker.head(status, fields);
    if (endStream) this.endCame();
  }

  #trailersCame({ status, fields }: ResponseHead, endStream: boolean): void {
    if (status !== 0 || !endStream) this.violated(CODE.PROTOCOL_ERROR, 'it has a second head');
    else this.trailersCame(fields);
  }

  /** What came whole before is whole, and need not be asked for any further (section 8.1). */
  resetCame(code: number): void {
    if (this.came) this.close(null);
    else this.brokenBy(code);
  }
}
