import { ClientStream, type StreamTaker } from './client-stream.ts';
import { CODE, Http2Error, protocolError, SETTING } from './codes.ts';
import { Http2Connection } from './connection.ts';
import { checkHead } from './fields.ts';
import type { HeadCame } from './head-reader.ts';
import { PREFACE } from './outbox.ts';
import type { Owner, Settings } from './owner.ts';
import { ResponseHead } from './response-head.ts';

/** The highest number that a stream may have is 2³¹ − 1 (RFC 9113 section 5.1.1). */
const LAST = 2 ** 31 - 4_096;

/** What a client tells its owner. */
export interface ClientOwner extends Owner<ClientStream> {
  /** The peer takes nothing new (GOAWAY). */
  leaving(): void;
}

/** HTTP/2's client end (RFC 9113). */
export class Http2Client extends Http2Connection<ClientStream, ResponseHead> {
  declare protected readonly owner: ClientOwner;
  protected readonly peer = 'agent';
  /** No stream is the peer's. */
  protected readonly lastTaken = 0;
  /** The number of the next stream. */
  #next: number;
  /** Their heads are not sent yet. */
  #waiting: ClientStream[] = [];
  #opensSockets = false;

  /** @param next the first number that it gives */
  constructor(settings: Settings, owner: ClientOwner, next = 1) {
    super(settings, owner, () => new ResponseHead(settings.headerBytes), PREFACE, [[SETTING.ENABLE_PUSH, 0]]);
    this.#next = next;
  }

  /** Whether the peer opens WebSockets (RFC 8441 section 3). */
  get opensSockets(): boolean {
    return this.#opensSockets;
  }

  /** Whether it has carried as many calls as one connection can (section 5.1.1). */
  get exhausted(): boolean {
    return this.#next > LAST;
  }

  /**
   * @param headers names, in lower case, and values in turn, those of HTTP/2's own first
   * @param endStream whether it has no body
   * @throws Http2Error when headers hold what none may, or nothing is taken any more
   */
  request(headers: readonly string[], taker: StreamTaker, endStream: boolean): ClientStream {
    if (this.destroyed || this.leaving || this.exhausted)
      throw new Http2Error(CODE.REFUSED_STREAM, 'it takes nothing new');
    checkHead(headers);
    const stream = new ClientStream(this, taker, headers, endStream);
    this.underWay += 1;
    this.#waiting.push(stream);
    this.schedule();
    this.hurry(this.#waiting.length);
    return stream;
  }

  override closed(stream: ClientStream): void {
    if (stream.id === 0) this.#waiting.splice(this.#waiting.indexOf(stream) >>> 0, 1);
    else {
      super.closed(stream);
      if (this.#waiting.length > 0) this.schedule();
    }
  }

  override left(stream: ClientStream): void {
    super.left(stream);
    this.#lookWhetherLeft();
  }

  /** A peer that is leaving is waited for until all that it took is over, and read. */
  #lookWhetherLeft(): void {
    if (this.leaving && this.underWay === 0 && !this.destroyed) this.owner.broken('the agent hung up');
  }

  protected openNew(): void {
    while (this.#waiting.length > 0 && this.streams.size < this.peerStreams && !this.outbox.full) {
      const stream = this.#waiting.shift()!;
      stream.id = this.#next;
      this.#next += 2;
      this.opened(stream);
      this.sendHead(stream);
      if (stream.sendable) this.ready(stream);
    }
  }

  protected all(): ClientStream[] {
    return [...this.streams.all(), ...this.#waiting];
  }

  protected isIdle(id: number): boolean {
    return id % 2 === 0 || id >= this.#next;
  }

  protected headBegins(stream: number): void {
    if (this.isIdle(stream)) throw protocolError('an answer came to what was never asked');
  }

  protected headCame({ stream, head, endStream }: HeadCame<ResponseHead>): void {
    this.streams.find(stream)?.headCame(head, endStream);
  }

  protected settingCame(name: number, value: number): void {
    if (name === SETTING.ENABLE_PUSH && value !== 0)
      throw protocolError('it would be pushed to, as a server');
    if (name !== SETTING.ENABLE_CONNECT_PROTOCOL) return;
    if (value > 1 || (value === 0 && this.#opensSockets)) throw protocolError('it takes back what it said');
    this.#opensSockets = value === 1;
  }

  /** Section 6.8: what has a higher number than the last one it speaks of was not taken. */
  protected leavingCame(last: number): void {
    this.leaving = true;
    this.owner.leaving();
    const refused = new Http2Error(CODE.REFUSED_STREAM, 'the agent is leaving, and did not take it');
    for (const one of this.all()) if (one.id === 0 || one.id > last) one.break(refused, false);
    this.#lookWhetherLeft();
  }

  protected rested(): void {}
}
