import { CODE, Http2Error, protocolError, SETTING, TYPE } from './codes.ts';
import { Http2Connection } from './connection.ts';
import type { HeadCame } from './head-reader.ts';
import { PREFACE } from './outbox.ts';
import type { Owner, Settings } from './owner.ts';
import { RequestHead } from './request-head.ts';
import { type ServerHost, ServerStream } from './server-stream.ts';

/** What a server tells its owner. */
export interface ServerOwner extends Owner<ServerStream> {
  /** A request came: it is to be accepted, and answered. */
  asked(stream: ServerStream): void;
}

/** HTTP/2's server end (RFC 9113), which opens WebSockets, too (RFC 8441). */
export class Http2Server extends Http2Connection<ServerStream, RequestHead> implements ServerHost {
  declare protected readonly owner: ServerOwner;
  protected readonly peer = 'gateway';
  /** The highest stream that was opened. */
  #last = 0;
  /** … of those that were taken, once no more are. */
  #lastTaken: number | null = null;
  /** What of the preface (section 3.4) has come; null: all. */
  #preface: number | null = 0;

  constructor(settings: Settings, owner: ServerOwner) {
    super(settings, owner, () => new RequestHead(settings.headerBytes), null, [
      [SETTING.ENABLE_CONNECT_PROTOCOL, 1],
    ]);
  }

  /** Takes nothing new; when all that is under way is over, its owner is told that it is `broken`. */
  drain(): void {
    if (this.#lastTaken !== null || this.destroyed) return;
    this.leaving = true;
    this.#lastTaken = this.#last;
    this.outbox.numbers(TYPE.GOAWAY, 0, this.#last, CODE.NO_ERROR);
    this.schedule();
  }

  override received(bytes: Buffer): void {
    const begun = this.#preface;
    if (begun === null) {
      super.received(bytes);
      return;
    }
    if (this.destroyed) return;
    const part = bytes.subarray(0, PREFACE.length - begun);
    if (!part.equals(PREFACE.subarray(begun, begun + part.length))) {
      this.fail(protocolError('it is no HTTP/2'));
      return;
    }
    if (begun + part.length < PREFACE.length) {
      this.#preface = begun + part.length;
      return;
    }
    this.#preface = null;
    if (part.length < bytes.length) super.received(bytes.subarray(part.length));
  }

  override left(stream: ServerStream): void {
    super.left(stream);
    if (this.leaving) this.schedule();
  }

  protected get lastTaken(): number {
    return this.#lastTaken ?? this.#last;
  }

  protected openNew(): void {}

  protected all(): ServerStream[] {
    return this.streams.all();
  }

  protected isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#last;
  }

  protected headBegins(stream: number): void {
    if (stream % 2 === 0) throw protocolError('a request came by a number that is none of one');
    if (this.outbox.crowded)
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'it asks for more answers than it reads');
  }

  protected headCame({ stream: id, head, endStream }: HeadCame<RequestHead>): void {
    // Of one that is over, what comes late means nothing.
    if (id <= this.#last) {
      this.streams.find(id)?.moreCame(head, endStream);
      return;
    }
    this.#last = id;
    // It was told so, and will ask somebody else.
    if (this.#lastTaken !== null) return;
    if (this.streams.size >= this.settings.maxStreams)
      this.outbox.numbers(TYPE.RST_STREAM, id, CODE.REFUSED_STREAM);
    else if (head.wrong !== null || !head.whole || (endStream && head.length > 0))
      this.outbox.numbers(TYPE.RST_STREAM, id, CODE.PROTOCOL_ERROR);
    else this.#taken(id, head, endStream);
    this.schedule();
  }

  #taken(id: number, head: RequestHead, endStream: boolean): void {
    const stream = new ServerStream(this, head);
    stream.id = id;
    this.underWay += 1;
    this.opened(stream);
    if (endStream) stream.endCame();
    this.owner.asked(stream);
  }

  protected settingCame(name: number, value: number): void {
    if (name === SETTING.ENABLE_PUSH && value > 1) throw protocolError('a setting that is none came');
  }

  protected leavingCame(): void {
    this.leaving = true;
    this.schedule();
  }

  protected rested(): void {
    if (this.leaving && this.underWay === 0) this.owner.broken('nothing more is under way');
  }
}
