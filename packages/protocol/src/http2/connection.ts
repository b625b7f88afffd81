import {
  CODE,
  FIRST_WINDOW,
  FLAG,
  Http2Error,
  protocolError,
  SETTING,
  TYPE,
  WIDEST_WINDOW,
} from './codes.ts';
import { FrameReader, type FrameTaker } from './frame-reader.ts';
import { type HeadCame, HeadReader } from './head-reader.ts';
import type { FieldSink } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { MOST_HEAD, Outbox } from './outbox.ts';
import type { Owner, Settings } from './owner.ts';
import type { Http2Stream, StreamHost } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { StreamWindow } from './stream-window.ts';

/** Frames of data without data in a row. */
const MOST_EMPTY = 10_000;
/** Changes of all streams' windows in one read: each is work for every stream. */
const MOST_CHANGES = 100;
/** So many streams with something to say are not kept until the turn is over: the other end can begin with them (decisions/0024). */
const MANY = 8;
/** A head that is no longer is sent whatever the peer says, which is only advice (section 6.5.2): so every request has an answer. */
const LEAST_HEAD = 1_024;
const NOTHING = Buffer.alloc(0);

/**
 * What both ends of HTTP/2 (RFC 9113) have in common, of one connection, whatever carries it; of the other end it takes nothing on trust (section
 * 10.5). Long, since every kind of frame meets here, and what comes decides what goes: what can be told apart from that lies beside it.
 */
export abstract class Http2Connection<Stream extends Http2Stream, Head extends FieldSink>
  implements FrameTaker, StreamHost
{
  protected readonly owner: Owner<Stream>;
  protected readonly settings: Settings;
  protected readonly outbox: Outbox;
  protected readonly streams = new StreamTable<Stream>();
  readonly #reader = new FrameReader(this);
  readonly #heads: HeadReader<Head>;
  readonly #streamWindow = new StreamWindow();
  readonly #encoder = new HpackEncoder();
  /** Streams that are not over, or not read to their end. */
  protected underWay = 0;
  /** They have something to send, or had. */
  #ready: Stream[] = [];
  #topUps: Stream[] = [];
  #scheduled = false;
  #writing = false;
  #over = false;
  /** Whether nothing new is taken. */
  protected leaving = false;
  /** Whether the peer has said its settings: its first frame (section 3.4). */
  #greeted = false;
  #window = FIRST_WINDOW;
  #received = 0;
  #sendWindow = FIRST_WINDOW;
  #peerWindow = FIRST_WINDOW;
  /** What the other end says of itself. */
  protected peerStreams = Number.POSITIVE_INFINITY;
  #peerHeaderBytes = MOST_HEAD;
  /** Whose data come; null: nobody's. */
  #taking: Stream | null = null;
  #empty = 0;
  #changes = 0;

  /**
   * @param first what is said before any frame
   * @param more settings besides those that both ends have
   */
  constructor(
    settings: Settings,
    owner: Owner<Stream>,
    readHead: () => Head,
    first: Buffer | null,
    more: [number, number][],
  ) {
    this.settings = settings;
    this.owner = owner;
    this.outbox = new Outbox(first);
    this.#heads = new HeadReader(readHead);
    const { connectionWindow, streamWindow, maxStreams, headerBytes } = settings;
    this.outbox.settings([
      ...more,
      [SETTING.MAX_CONCURRENT_STREAMS, maxStreams],
      [SETTING.INITIAL_WINDOW_SIZE, streamWindow],
      [SETTING.MAX_HEADER_LIST_SIZE, headerBytes],
    ]);
    this.#streamWindow.announce(streamWindow);
    this.outbox.numbers(TYPE.WINDOW_UPDATE, 0, connectionWindow - FIRST_WINDOW);
    this.#window = connectionWindow;
    this.schedule();
  }

  // What the two ends do each in their way.

  /** Whether a stream of this number was never opened, so that nothing can come for it. */
  protected abstract isIdle(id: number): boolean;
  /** A head begins to come. @throws Http2Error where there can be none */
  protected abstract headBegins(stream: number): void;
  protected abstract headCame(came: HeadCame<Head>): void;
  /** Sends heads of what is new. */
  protected abstract openNew(): void;
  /** A setting of the peer's that means something to one of the ends only. */
  protected abstract settingCame(name: number, value: number): void;
  /** The peer takes nothing new. @param last the highest stream that it took */
  protected abstract leavingCame(last: number): void;
  /** There is nothing to send. */
  protected abstract rested(): void;
  /** The highest stream of the peer's that was taken (section 6.8). */
  protected abstract readonly lastTaken: number;
  /** The streams that are not over. */
  protected abstract all(): Stream[];
  /** What it calls its peer, for people. */
  protected abstract readonly peer: string;

  /** Bytes of headers that a head may have (section 6.5.2). */
  get mostHeaderBytes(): number {
    return this.#peerHeaderBytes;
  }

  get destroyed(): boolean {
    return this.#over;
  }

  /** Whether what was announced last is still to be confirmed. */
  get unsettled(): boolean {
    return this.#streamWindow.unsettled;
  }

  /** Changes the window of every stream (section 6.9.2). */
  setStreamWindow(bytes: number): void {
    if (this.#over) return;
    this.outbox.settings([[SETTING.INITIAL_WINDOW_SIZE, bytes]]);
    this.#widenStreams(this.#streamWindow.announce(bytes));
    this.schedule();
  }

  /** Asks whether the peer lives: it answers at once (section 6.7). */
  ping(): void {
    if (this.#over) return;
    this.outbox.order(TYPE.PING, 0, 0, Buffer.alloc(8));
    this.schedule();
  }

  received(bytes: Buffer): void {
    if (this.#over) return;
    this.#changes = 0;
    try {
      this.#reader.push(bytes);
    } catch (thrown) {
      const error =
        thrown instanceof Http2Error ? thrown : new Http2Error(CODE.INTERNAL_ERROR, String(thrown));
      this.fail(error);
    }
  }

  /** Ends it, and all that is under way. @param why for people */
  destroy(why: string): void {
    if (this.#over) return;
    this.#over = true;
    const error = protocolError(why);
    for (const stream of this.all()) stream.break(error, false);
    this.#ready = [];
    this.#topUps = [];
  }

  protected fail(error: Http2Error): void {
    if (this.#over) return;
    this.outbox.goaway(this.lastTaken, error.code);
    this.owner.send(this.outbox.taken()!, () => {});
    this.owner.broken(error.message);
  }

  // What streams ask for.

  get topUpAfter(): number {
    return this.#streamWindow.announced / 2;
  }

  ready(stream: Stream): void {
    if (stream.queued || stream.id === 0) return;
    stream.queued = true;
    this.#ready.push(stream);
    this.schedule();
    this.hurry(this.#ready.length);
  }

  topUp(stream: Stream): void {
    if (this.#topUps.includes(stream)) return;
    this.#topUps.push(stream);
    this.schedule();
  }

  sendReset(stream: Stream, code: number): void {
    if (this.#over) return;
    this.outbox.numbers(TYPE.RST_STREAM, stream.id, code);
    this.schedule();
  }

  /** It is kept in no list: a peer that reads nothing, and resets what it asks for, would have all of them kept. */
  closed(stream: Stream): void {
    this.streams.close(stream);
    if (stream.queued) {
      stream.queued = false;
      this.#ready.splice(this.#ready.indexOf(stream) >>> 0, 1);
    }
    if (this.#topUps.length > 0) this.#topUps.splice(this.#topUps.indexOf(stream) >>> 0, 1);
  }

  left(stream: Stream): void {
    this.underWay -= 1;
    this.owner.left(stream);
  }

  // What goes out.

  /** What few streams say in one turn of the event loop leaves as one. */
  protected schedule(): void {
    if (this.#scheduled || this.#writing || this.#over) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  /** @param waiting streams that have something to say by now */
  protected hurry(waiting: number): void {
    if (waiting === MANY && !this.#writing) process.nextTick(this.#send);
  }

  readonly #send = (): void => {
    if (!this.#over && !this.#writing) this.#flush();
  };

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#send();
  };

  readonly #written = (): void => {
    this.#writing = false;
    if (!this.#over) this.#flush();
  };

  #flush(): void {
    const outbox = this.outbox;
    outbox.begin();
    this.#sendWindows();
    this.openNew();
    while (this.#ready.length > 0 && !outbox.full) if (!this.#sendNext()) break;
    const bytes = outbox.taken();
    if (bytes === null) {
      this.rested();
      return;
    }
    this.#writing = true;
    this.owner.send(bytes, this.#written);
  }

  #sendWindows(): void {
    if (this.#received >= this.settings.connectionWindow / 8) {
      this.outbox.windowUpdate(0, this.#received);
      this.#window += this.#received;
      this.#received = 0;
    }
    if (this.#topUps.length === 0) return;
    for (const stream of this.#topUps) {
      if (stream.consumed === 0 || this.streams.find(stream.id) !== stream) continue;
      this.outbox.windowUpdate(stream.id, stream.consumed);
      stream.window += stream.consumed;
      stream.consumed = 0;
    }
    this.#topUps = [];
  }

  /** It has its number. */
  protected opened(stream: Stream): void {
    this.streams.add(stream);
    stream.opened(this.#peerWindow, this.#streamWindow.allowed);
  }

  protected sendHead(stream: Stream): void {
    const headers = stream.headers!;
    this.outbox.head(stream.id, headers, this.#encoder, stream.headSent());
  }

  /** The next one's next frame. @returns false when the connection's window lets no more pass */
  #sendNext(): boolean {
    const stream = this.#ready[0]!;
    if (this.streams.find(stream.id) !== stream || !stream.sendable) {
      this.#ready.shift();
      stream.queued = false;
      return true;
    }
    // What follows a head is its own.
    if (stream.headers !== null) this.sendHead(stream);
    else if (stream.waiting === 0 && stream.trailing !== null) {
      const { trailing } = stream;
      stream.trailersSent();
      this.outbox.head(stream.id, trailing, this.#encoder, true);
    } else {
      if (stream.waiting > 0 && this.#sendWindow <= 0) return false;
      this.#ready.shift();
      this.#sendWindow -= this.outbox.data(stream, this.#sendWindow);
      if (stream.sendable) this.#ready.push(stream);
      else stream.queued = false;
    }
    stream.afterTake();
    return true;
  }

  // What comes in.

  dataBegins(id: number, length: number): void {
    this.#inTurn(TYPE.DATA);
    if (this.isIdle(id)) throw protocolError('data came for what was never asked');
    this.#window -= length;
    if (this.#window < 0)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'the other end passes over its window');
    this.#received += length;
    if (this.#received >= this.settings.connectionWindow / 8) this.schedule();
    if (length > 0) this.#empty = 0;
    else if (++this.#empty > MOST_EMPTY)
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'too many frames without anything in them came');
    const stream = this.streams.find(id);
    this.#taking = stream?.dataBegins(length) ? stream : null;
  }

  data(piece: Buffer): void {
    this.#taking?.dataCame(piece);
  }

  dataEnds(endStream: boolean, padding: number): void {
    const stream = this.#taking;
    this.#taking = null;
    if (padding > 0) stream?.give(padding);
    if (endStream) stream?.endCame();
  }

  frame(type: number, flags: number, stream: number, payload: Buffer): void {
    this.#inTurn(type);
    switch (type) {
      case TYPE.HEADERS:
        this.headBegins(stream);
        this.#headEnds(this.#heads.headers(flags, stream, payload));
        break;
      case TYPE.CONTINUATION:
        this.#headEnds(this.#heads.continuation(flags, stream, payload));
        break;
      case TYPE.RST_STREAM:
        this.#reset(stream, payload);
        break;
      case TYPE.SETTINGS:
        this.#settled(flags, stream, payload);
        break;
      case TYPE.PING:
        this.#pinged(flags, stream, payload);
        break;
      case TYPE.GOAWAY:
        this.#goaway(stream, payload);
        break;
      case TYPE.WINDOW_UPDATE:
        this.#widened(stream, payload);
        break;
      case TYPE.PUSH_PROMISE:
        throw protocolError('it pushes, which it was told not to');
    }
  }

  /** Settings come first (section 3.4), and within a head nothing else (section 6.10). */
  #inTurn(type: number): void {
    if (this.#greeted && !this.#heads.open && type !== TYPE.CONTINUATION) return;
    if (!this.#greeted && type !== TYPE.SETTINGS) throw protocolError('it is no HTTP/2');
    if (this.#heads.open !== (type === TYPE.CONTINUATION)) throw protocolError('a frame came out of turn');
  }

  #headEnds(came: HeadCame<Head> | null): void {
    if (came !== null) this.headCame(came);
  }

  #reset(id: number, payload: Buffer): void {
    if (this.isIdle(id)) throw protocolError('what was never asked was reset');
    this.streams.find(id)?.resetCame(payload.readUInt32BE(0));
  }

  #settled(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('settings of a stream came');
    const ack = (flags & FLAG.ACK) !== 0;
    if (payload.length % 6 !== 0 || (ack && payload.length > 0))
      throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'settings that are none came');
    if (ack) {
      this.#widenStreams(this.#streamWindow.confirm());
      this.owner.settled();
      return;
    }
    this.#greeted = true;
    for (let at = 0; at < payload.length; at += 6)
      this.#setting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.outbox.answer(TYPE.SETTINGS, NOTHING);
    this.schedule();
  }

  /** Section 6.5.2; those that are not known mean nothing. */
  #setting(name: number, value: number): void {
    switch (name) {
      case SETTING.HEADER_TABLE_SIZE:
        this.#encoder.resize(value);
        break;
      case SETTING.MAX_CONCURRENT_STREAMS:
        this.peerStreams = value;
        break;
      case SETTING.INITIAL_WINDOW_SIZE:
        this.#setPeerWindow(value);
        break;
      case SETTING.MAX_FRAME_SIZE:
        if (value < 16_384 || value > 16_777_215) throw protocolError('a size of frames that cannot be came');
        break;
      case SETTING.MAX_HEADER_LIST_SIZE:
        this.#peerHeaderBytes = Math.min(Math.max(value, LEAST_HEAD), MOST_HEAD);
        break;
      default:
        this.settingCame(name, value);
    }
  }

  /** Section 6.9.2: also of the streams that are open, which may get below zero. */
  #setPeerWindow(window: number): void {
    if (window > WIDEST_WINDOW)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window came that is wider than any may be');
    const by = window - this.#peerWindow;
    this.#peerWindow = window;
    if (by === 0) return;
    if (++this.#changes > MOST_CHANGES)
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'windows that change without end came');
    for (const stream of this.streams.all()) {
      stream.widen(by);
      if (stream.sendable) this.ready(stream);
    }
  }

  #widenStreams(by: number): void {
    if (by !== 0) for (const stream of this.streams.all()) stream.window += by;
  }

  #pinged(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('a ping of a stream came');
    if ((flags & FLAG.ACK) !== 0) return;
    this.outbox.answer(TYPE.PING, payload);
    this.schedule();
  }

  /** Section 6.8: what has a higher number than the last one it speaks of was not taken. */
  #goaway(stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('a goodbye of a stream came');
    if (payload.length < 8) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'half a goodbye came');
    const last = payload.readUInt32BE(0) & 0x7fff_ffff;
    const code = payload.readUInt32BE(4);
    if (code !== CODE.NO_ERROR)
      throw new Http2Error(CODE.NO_ERROR, `the ${this.peer} ended it with error ${code}`);
    this.leavingCame(last);
  }

  #widened(id: number, payload: Buffer): void {
    const by = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) {
      this.#sendWindow += by;
      if (by === 0) throw protocolError('a window that does not grow came');
      if (this.#sendWindow > WIDEST_WINDOW)
        throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window came that is wider than any may be');
      if (this.#ready.length > 0) this.schedule();
      return;
    }
    if (this.isIdle(id)) throw protocolError('a window of what was never asked came');
    const stream = this.streams.find(id);
    if (stream === null) return;
    if (by === 0) {
      stream.break(protocolError('a window that does not grow came'), true);
      return;
    }
    try {
      stream.widen(by);
    } catch (error) {
      stream.break(error as Http2Error, true);
      return;
    }
    if (stream.sendable) this.ready(stream);
  }
}
