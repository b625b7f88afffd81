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
import { HpackEncoder } from './hpack-encoder.ts';
import { Outbox } from './outbox.ts';
import { checkRequest } from './response-head.ts';
import { Http2Stream, type StreamHost, type StreamTaker } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { StreamWindow } from './stream-window.ts';

/** Frames of data without data in a row. */
const MOST_EMPTY = 10_000;
const NOTHING = Buffer.alloc(0);

/** What this end says of itself. */
export interface ClientSettings {
  /** Of each stream; it may be changed later. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly maxStreams: number;
  /** Of one answer's, by HTTP/2's count (section 6.5.2). */
  readonly headerBytes: number;
}

/** What a client tells its owner. */
export interface ClientOwner {
  /** Puts bytes on their way. @param done they are with the system: more may follow */
  send(bytes: Buffer, done: () => void): void;
  /** The peer takes nothing new (GOAWAY). */
  leaving(): void;
  /** It can be used no more. @param why for people */
  broken(why: string): void;
  /** The other end has confirmed the last settings. */
  settled(): void;
  /** A stream is over, and was read to its end. */
  left(stream: Http2Stream): void;
}

/**
 * HTTP/2's client end (RFC 9113) of one connection, whatever carries it; of the other end it takes nothing on trust (section 10.5). Long, since
 * every kind of frame meets here, and what comes decides what goes: what can be told apart from that lies beside it.
 */
export class Http2Client implements FrameTaker, StreamHost {
  readonly #owner: ClientOwner;
  readonly #settings: ClientSettings;
  readonly #reader = new FrameReader(this);
  readonly #heads: HeadReader;
  readonly #streamWindow = new StreamWindow();
  readonly #encoder = new HpackEncoder();
  readonly #outbox = new Outbox();
  readonly #streams = new StreamTable();
  /** Streams that are not over, or not read to their end. */
  #underWay = 0;
  /** Their heads are not sent yet. */
  #waiting: Http2Stream[] = [];
  /** They have something to send, or had. */
  #ready: Http2Stream[] = [];
  #topUps: Http2Stream[] = [];
  #scheduled = false;
  #writing = false;
  #over = false;
  #leaving = false;
  /** Whether the peer has said its settings: its first frame (section 3.4). */
  #greeted = false;
  #window = FIRST_WINDOW;
  #received = 0;
  #sendWindow = FIRST_WINDOW;
  #peerWindow = FIRST_WINDOW;
  #peerStreams = Number.POSITIVE_INFINITY;
  #peerHeaderBytes = Number.POSITIVE_INFINITY;
  #opensSockets = false;
  /** Whose data come; null: nobody's. */
  #taking: Http2Stream | null = null;
  #empty = 0;
  constructor(settings: ClientSettings, owner: ClientOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#heads = new HeadReader(settings.headerBytes);
    const { connectionWindow, streamWindow, maxStreams, headerBytes } = settings;
    this.#announce([
      [SETTING.ENABLE_PUSH, 0],
      [SETTING.MAX_CONCURRENT_STREAMS, maxStreams],
      [SETTING.INITIAL_WINDOW_SIZE, streamWindow],
      [SETTING.MAX_HEADER_LIST_SIZE, headerBytes],
    ]);
    this.#streamWindow.announce(streamWindow);
    this.#outbox.numbers(TYPE.WINDOW_UPDATE, 0, connectionWindow - FIRST_WINDOW);
    this.#window = connectionWindow;
    this.#schedule();
  }

  /** Whether the peer opens WebSockets (RFC 8441 section 3). */
  get opensSockets(): boolean {
    return this.#opensSockets;
  }

  /** Bytes of headers that a request may have (section 6.5.2). */
  get mostHeaderBytes(): number {
    return this.#peerHeaderBytes;
  }

  /** Whether it has carried as many calls as one connection can (section 5.1.1). */
  get exhausted(): boolean {
    return this.#streams.exhausted;
  }

  get destroyed(): boolean {
    return this.#over;
  }

  /** Whether what was announced last is still to be confirmed. */
  get unsettled(): boolean {
    return this.#streamWindow.unsettled;
  }

  /**
   * @param headers names, in lower case, and values in turn, those of HTTP/2's own first
   * @param endStream whether it has no body
   * @throws Http2Error when headers hold what none may, or nothing is taken any more
   */
  request(headers: readonly string[], taker: StreamTaker, endStream: boolean): Http2Stream {
    if (this.#over || this.#leaving || this.#streams.exhausted)
      throw new Http2Error(CODE.REFUSED_STREAM, 'it takes nothing new');
    checkRequest(headers);
    const stream = new Http2Stream(this, taker, headers, endStream);
    this.#underWay += 1;
    this.#waiting.push(stream);
    this.#schedule();
    return stream;
  }

  /** Changes the window of every stream (section 6.9.2). */
  setStreamWindow(bytes: number): void {
    if (this.#over) return;
    this.#announce([[SETTING.INITIAL_WINDOW_SIZE, bytes]]);
    this.#widenStreams(this.#streamWindow.announce(bytes));
    this.#schedule();
  }

  /** Asks whether the peer lives: it answers at once (section 6.7). */
  ping(): void {
    if (this.#over) return;
    this.#outbox.order(TYPE.PING, 0, 0, Buffer.alloc(8));
    this.#schedule();
  }

  received(bytes: Buffer): void {
    if (this.#over) return;
    try {
      this.#reader.push(bytes);
    } catch (thrown) {
      const error =
        thrown instanceof Http2Error ? thrown : new Http2Error(CODE.INTERNAL_ERROR, String(thrown));
      this.#fail(error);
    }
  }

  /** Ends it, and all that is under way. @param why for people */
  destroy(why: string): void {
    if (this.#over) return;
    this.#over = true;
    const error = protocolError(why);
    for (const stream of [...this.#streams.all(), ...this.#waiting]) stream.break(error, false);
    this.#waiting = [];
    this.#ready = [];
    this.#topUps = [];
  }

  #fail(error: Http2Error): void {
    if (this.#over) return;
    this.#outbox.goaway(error.code);
    this.#owner.send(this.#outbox.taken()!, () => {});
    this.#owner.broken(error.message);
  }

  // What streams ask for.

  get topUpAfter(): number {
    return this.#streamWindow.announced / 2;
  }

  ready(stream: Http2Stream): void {
    if (stream.queued || stream.id === 0) return;
    stream.queued = true;
    this.#ready.push(stream);
    this.#schedule();
  }

  topUp(stream: Http2Stream): void {
    if (this.#topUps.includes(stream)) return;
    this.#topUps.push(stream);
    this.#schedule();
  }

  sendReset(stream: Http2Stream, code: number): void {
    if (this.#over) return;
    this.#outbox.numbers(TYPE.RST_STREAM, stream.id, code);
    this.#schedule();
  }

  closed(stream: Http2Stream): void {
    if (stream.id === 0) this.#waiting.splice(this.#waiting.indexOf(stream) >>> 0, 1);
    else {
      this.#streams.close(stream);
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  left(stream: Http2Stream): void {
    this.#underWay -= 1;
    this.#owner.left(stream);
    this.#lookWhetherLeft();
  }

  /** A peer that is leaving is waited for until all that it took is over, and read. */
  #lookWhetherLeft(): void {
    if (this.#leaving && this.#underWay === 0 && !this.#over) this.#owner.broken('the agent hung up');
  }

  // What goes out.

  #announce(settings: [number, number][]): void {
    const payload = Buffer.allocUnsafe(settings.length * 6);
    for (const [at, [name, value]] of settings.entries()) {
      payload.writeUInt16BE(name, at * 6);
      payload.writeUInt32BE(value, at * 6 + 2);
    }
    this.#outbox.order(TYPE.SETTINGS, 0, 0, payload);
  }

  /** All that is said in one turn of the event loop leaves as one. */
  #schedule(): void {
    if (this.#scheduled || this.#writing || this.#over) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    if (!this.#over && !this.#writing) this.#flush();
  };

  readonly #written = (): void => {
    this.#writing = false;
    if (!this.#over) this.#flush();
  };

  #flush(): void {
    const outbox = this.#outbox;
    outbox.begin();
    this.#sendWindows();
    while (this.#waiting.length > 0 && this.#streams.size < this.#peerStreams && !outbox.full)
      this.#open(this.#waiting.shift()!);
    while (this.#ready.length > 0 && !outbox.full) if (!this.#sendData()) break;
    const bytes = outbox.taken();
    if (bytes === null) return;
    this.#writing = true;
    this.#owner.send(bytes, this.#written);
  }

  #sendWindows(): void {
    if (this.#received >= this.#settings.connectionWindow / 8) {
      this.#outbox.windowUpdate(0, this.#received);
      this.#window += this.#received;
      this.#received = 0;
    }
    if (this.#topUps.length === 0) return;
    for (const stream of this.#topUps) {
      if (stream.consumed === 0 || this.#streams.find(stream.id) !== stream) continue;
      this.#outbox.windowUpdate(stream.id, stream.consumed);
      stream.window += stream.consumed;
      stream.consumed = 0;
    }
    this.#topUps = [];
  }

  #open(stream: Http2Stream): void {
    const headers = stream.headers!;
    this.#streams.open(stream);
    const whole = stream.open(this.#peerWindow, this.#streamWindow.allowed);
    this.#outbox.head(stream.id, headers, this.#encoder, whole);
    if (stream.sendable) this.ready(stream);
  }

  /** The next one's next piece. @returns false when the connection's window lets no more pass */
  #sendData(): boolean {
    const stream = this.#ready[0]!;
    if (this.#streams.find(stream.id) !== stream || !stream.sendable) {
      this.#ready.shift();
      stream.queued = false;
      return true;
    }
    if (stream.waiting > 0 && this.#sendWindow <= 0) return false;
    this.#ready.shift();
    this.#sendWindow -= this.#outbox.data(stream, this.#sendWindow);
    if (stream.sendable) this.#ready.push(stream);
    else stream.queued = false;
    stream.afterTake();
    return true;
  }

  // What comes in.

  dataBegins(id: number, length: number): void {
    this.#inTurn(TYPE.DATA);
    if (this.#streams.isIdle(id)) throw protocolError('data came for what was never asked');
    this.#window -= length;
    if (this.#window < 0)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'the other end passes over its window');
    this.#received += length;
    if (this.#received >= this.#settings.connectionWindow / 8) this.#schedule();
    if (length > 0) this.#empty = 0;
    else if (++this.#empty > MOST_EMPTY)
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'too many frames without anything in them came');
    const stream = this.#streams.find(id);
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
        if (this.#streams.isIdle(stream)) throw protocolError('an answer came to what was never asked');
        this.#headCame(this.#heads.headers(flags, stream, payload));
        break;
      case TYPE.CONTINUATION:
        this.#headCame(this.#heads.continuation(flags, stream, payload));
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

  #headCame(came: HeadCame | null): void {
    if (came !== null) this.#streams.find(came.stream)?.headCame(came.head, came.endStream);
  }

  #reset(id: number, payload: Buffer): void {
    if (this.#streams.isIdle(id)) throw protocolError('what was never asked was reset');
    this.#streams.find(id)?.resetCame(payload.readUInt32BE(0));
  }

  #settled(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('settings of a stream came');
    const ack = (flags & FLAG.ACK) !== 0;
    if (payload.length % 6 !== 0 || (ack && payload.length > 0))
      throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'settings that are none came');
    if (ack) {
      this.#widenStreams(this.#streamWindow.confirm());
      this.#owner.settled();
      return;
    }
    this.#greeted = true;
    for (let at = 0; at < payload.length; at += 6)
      this.#setting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.#outbox.answer(TYPE.SETTINGS, NOTHING);
    this.#schedule();
  }

  /** Section 6.5.2; those that are not known mean nothing. */
  #setting(name: number, value: number): void {
    switch (name) {
      case SETTING.HEADER_TABLE_SIZE:
        this.#encoder.resize(value);
        break;
      case SETTING.ENABLE_PUSH:
        if (value !== 0) throw protocolError('it would be pushed to, as a server');
        break;
      case SETTING.MAX_CONCURRENT_STREAMS:
        this.#peerStreams = value;
        break;
      case SETTING.INITIAL_WINDOW_SIZE:
        this.#setPeerWindow(value);
        break;
      case SETTING.MAX_FRAME_SIZE:
        if (value < 16_384 || value > 16_777_215) throw protocolError('a size of frames that cannot be came');
        break;
      case SETTING.MAX_HEADER_LIST_SIZE:
        this.#peerHeaderBytes = value;
        break;
      case SETTING.ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.#opensSockets))
          throw protocolError('it takes back what it said');
        this.#opensSockets = value === 1;
    }
  }

  /** Section 6.9.2: also of the streams that are open, which may get below zero. */
  #setPeerWindow(window: number): void {
    if (window > WIDEST_WINDOW)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window came that is wider than any may be');
    const by = window - this.#peerWindow;
    this.#peerWindow = window;
    if (by === 0) return;
    for (const stream of this.#streams.all()) {
      stream.widen(by);
      if (stream.sendable) this.ready(stream);
    }
  }

  #widenStreams(by: number): void {
    if (by !== 0) for (const stream of this.#streams.all()) stream.window += by;
  }

  #pinged(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('a ping of a stream came');
    if ((flags & FLAG.ACK) !== 0) return;
    this.#outbox.answer(TYPE.PING, payload);
    this.#schedule();
  }

  /** Section 6.8: what has a higher number than the last one it speaks of was not taken. */
  #goaway(stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('a goodbye of a stream came');
    if (payload.length < 8) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'half a goodbye came');
    const last = payload.readUInt32BE(0) & 0x7fff_ffff;
    const code = payload.readUInt32BE(4);
    if (code !== CODE.NO_ERROR) throw new Http2Error(CODE.NO_ERROR, `the agent ended it with error ${code}`);
    this.#leaving = true;
    this.#owner.leaving();
    const refused = new Http2Error(CODE.REFUSED_STREAM, 'the agent is leaving, and did not take it');
    for (const one of [...this.#waiting, ...this.#streams.all()])
      if (one.id === 0 || one.id > last) one.break(refused, false);
    this.#lookWhetherLeft();
  }

  #widened(id: number, payload: Buffer): void {
    const by = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) {
      this.#sendWindow += by;
      if (by === 0) throw protocolError('a window that does not grow came');
      if (this.#sendWindow > WIDEST_WINDOW)
        throw new Http2Error(CODE.FLOW_CONTROL_ERROR, 'a window came that is wider than any may be');
      if (this.#ready.length > 0) this.#schedule();
      return;
    }
    if (this.#streams.isIdle(id)) throw protocolError('a window of what was never asked came');
    const stream = this.#streams.find(id);
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
