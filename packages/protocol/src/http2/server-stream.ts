import { CODE, Http2Error } from './codes.ts';
import { checkHead, listSize } from './fields.ts';
import type { RequestHead } from './request-head.ts';
import { type BodyTaker, Http2Stream, type StreamHost } from './stream.ts';

/** Who hears of a request that nobody has accepted, or wants. */
const NOBODY: BodyTaker = { data() {}, end() {}, broken() {}, drained() {} };

/** What a stream of a server asks of its connection besides. */
export interface ServerHost extends StreamHost {
  /** Bytes of headers that an answer may have (RFC 9113 section 6.5.2). */
  readonly mostHeaderBytes: number;
}

/** A request that the other end makes: it waits until it is taken, and is answered once. */
export class ServerStream extends Http2Stream {
  declare protected readonly host: ServerHost;
  readonly head: RequestHead;
  protected readonly overAtEnd = false;
  protected readonly takesData = true;
  #answered = false;
  #dismissed = false;

  constructor(host: ServerHost, head: RequestHead) {
    super(host, NOBODY);
    this.head = head;
    if (head.length >= 0) this.expect(head.length);
    this.pause();
  }

  /** Whether it has been answered, wholly or in part. */
  get answered(): boolean {
    return this.#answered;
  }

  /** What comes is told to `taker`, and its body when it is resumed. */
  accept(taker: BodyTaker): void {
    this.taker = taker;
  }

  /** What still comes of it nobody wants; the other end is told so once the answer is whole (RFC 9113 section 8.1). */
  dismiss(): void {
    this.#dismissed = true;
    this.accept(NOBODY);
    this.resume();
    this.#lookWhetherDone();
  }

  override afterTake(): void {
    super.afterTake();
    this.#lookWhetherDone();
  }

  #lookWhetherDone(): void {
    if (this.#dismissed && this.sent && !this.came) this.reset(CODE.NO_ERROR);
  }

  /**
   * @param headers names, in lower case, and values in turn, without the status
   * @param endStream whether there is no body
   * @throws Http2Error when the head holds what none may, or is longer than the other end takes
   */
  respond(status: number, headers: readonly string[], endStream = false): void {
    const head = [':status', String(status), ...headers];
    this.#check(head);
    this.#answered = true;
    if (this.closed) return;
    this.headers = head;
    if (endStream) this.end();
    else this.host.ready(this);
  }

  /** The end of the answer, with what trails it: names, in lower case, and values in turn. @throws Http2Error the same */
  endWith(trailers: readonly string[]): void {
    this.#check(trailers);
    if (trailers.length > 0) this.trailing = trailers;
    this.end();
  }

  #check(head: readonly string[]): void {
    checkHead(head);
    if (listSize(head) > this.host.mostHeaderBytes)
      throw new Http2Error(CODE.INTERNAL_ERROR, 'the head is longer than the other end takes');
  }

  /** More of its head came (section 8.1). */
  moreCame(head: RequestHead, endStream: boolean): void {
    if (this.came) this.violated(CODE.STREAM_CLOSED, 'more came behind its end');
    else if (head.wrong !== null || !endStream || !head.trails)
      this.violated(CODE.PROTOCOL_ERROR, 'it has a second head');
    else this.trailersCame(head.fields);
  }

  resetCame(code: number): void {
    this.brokenBy(code);
  }
}
