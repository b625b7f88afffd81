import { type ClientHttp2Session, connect } from 'node:http2';
import { AGENT_ERROR } from '@sallyport/protocol/agent-error.ts';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { startHeartbeat } from '@sallyport/protocol/heartbeat.ts';
import { type Hello, HelloError, parseHello } from '@sallyport/protocol/hello.ts';
import {
  DEAD_AFTER,
  DOCUMENT_BYTES,
  HEADER_BYTES,
  HELLO_PATH,
  HELLO_WITHIN,
  MAX_STREAMS,
  NOTICE_PATH,
  SETTINGS,
  TUNNEL_WINDOW,
} from '@sallyport/protocol/limits.ts';
import type { ByeCode, Notice } from '@sallyport/protocol/notice.ts';
import { shareWindow } from '@sallyport/protocol/share-window.ts';
import { AppError } from '../platform/errors.ts';
import { PassingSet } from '../platform/passing.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Peer } from './peer.ts';

/** How long a goodbye may take to be heard, milliseconds. */
const GOODBYE = 1_000;
/** Bytes that node:http2 may hold for one tunnel before it refuses new streams, MB. */
const SESSION_MEMORY = 64;

/** Something under way in a tunnel, which ends with it. */
export interface Passenger {
  /** The tunnel is gone, or may no longer be used. @param why for people */
  lost(why: string): void;
  /** Asked twice a minute; one whose reader has taken nothing for long ends itself. */
  stillRead?(): void;
}

/**
 * One agent's connection: HTTP/2 over its byte stream, with this end as the client. It lives until either end lets go, nothing was heard for
 * 30 s, or it may no longer be; whatever is under way then fails with words that say so.
 */
export class Connection implements Peer {
  /** Each connection has a higher one than all before it. */
  readonly epoch: number;
  readonly openedAt: number;
  readonly #session: ClientHttp2Session;
  readonly #stream: ByteStream;
  readonly #runtime: Runtime;
  readonly #stopHeartbeat: () => void;
  readonly #share: (calls: number) => void;
  readonly #passengers = new PassingSet<Passenger>();
  readonly #ended = Promise.withResolvers<string>();
  /** Why it ends, once that is known. */
  #reason: string | null = null;
  #leaving: () => void = () => {};

  constructor(stream: ByteStream, epoch: number, runtime: Runtime) {
    this.epoch = epoch;
    this.openedAt = runtime.now();
    this.#stream = stream;
    this.#runtime = runtime;
    // Heard of before the session hears of it and tells its streams, which know less.
    stream.on('close', () => this.end('the agent hung up'));
    stream.on('error', error => this.end(`the connection failed (${error.message})`));
    this.#session = connect('http://tunnel', {
      createConnection: () => stream,
      settings: SETTINGS,
      maxSessionMemory: SESSION_MEMORY,
      // Nobody pushes.
      maxReservedRemoteStreams: 0,
    });
    this.#share = shareWindow(this.#session);
    this.#session.on('connect', () => {
      // Told late: it may be over by then, and would throw where nobody catches it.
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(TUNNEL_WINDOW);
    });
    this.#session.on('goaway', () => this.#leaving());
    this.#session.on('error', error => this.end(`the connection failed (${error.message})`));
    this.#session.on('close', () => this.end('the agent hung up'));
    this.#stopHeartbeat = startHeartbeat({
      session: this.#session,
      stream,
      clock: runtime,
      dead: () => this.end(`nothing was heard of the agent for ${DEAD_AFTER / 1000} s`),
    });
  }

  /** Resolves with why, when it is over. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  get over(): boolean {
    return this.#reason !== null;
  }

  /** Epoch of the runtime's monotonic clock when the agent was last heard of. */
  get heardAt(): number {
    return this.#stream.heardAt;
  }

  get underWay(): number {
    return this.#passengers.size;
  }

  /** Whether the agent opens WebSockets (RFC 8441 section 3). Its settings come before its first answer, so the hello's reader knows. */
  get opensSockets(): boolean {
    return this.#session.remoteSettings.enableConnectProtocol === true;
  }

  /** @param leaving called when the agent takes nothing new any more, and ends what it has (GOAWAY) */
  onLeaving(leaving: () => void): void {
    this.#leaving = leaving;
  }

  /** Why nothing more can be carried, or null. */
  get full(): AppError | null {
    if (this.#passengers.size < MAX_STREAMS) return null;
    return new AppError('unavailable', `This tunnel has ${MAX_STREAMS} calls under way already; try again.`, {
      headers: { 'retry-after': '1' },
    });
  }

  /** Opens a stream. @throws AppError `headers_too_large`; whatever node:http2 says of headers that cannot be sent, or of a session that takes no more */
  request(headers: Record<string, string>, passenger: Passenger, options: { endStream: boolean }) {
    if (listSize(headers) > HEADER_BYTES)
      throw new AppError(
        'headers_too_large',
        `The request's headers are more than a tunnel carries (64 KiB).`,
      );
    const stream = this.#session.request(headers, { endStream: options.endStream });
    this.#passengers.add(passenger);
    this.#share(this.#passengers.size);
    stream.on('close', () => {
      this.#passengers.delete(passenger);
      this.#share(this.#passengers.size);
    });
    return stream;
  }

  /** Lets calls end whose readers take nothing. */
  lookForStalled(): void {
    for (const passenger of [...this.#passengers]) passenger.stillRead?.();
  }

  /** What the agent serves. @throws HelloError */
  async hello(): Promise<Hello> {
    const stream = this.#session.request({ ':path': HELLO_PATH });
    stream.setEncoding('utf8');
    let status = 0;
    stream.on('response', headers => {
      status = headers[':status'] ?? 0;
    });
    const timer = new AbortController();
    const late = this.#runtime.sleep(HELLO_WITHIN, timer.signal).then(() => {
      throw new HelloError('it did not come in time');
    });
    const read = async () => {
      let text = '';
      for await (const piece of stream) {
        text += piece;
        if (text.length > DOCUMENT_BYTES) throw new HelloError('it is too long');
      }
      if (status !== 200) throw new HelloError(`the answer was ${status}`);
      return parseHello(text);
    };
    try {
      return await Promise.race([read(), late, this.ended.then(gone)]);
    } finally {
      timer.abort();
      late.catch(() => {});
      if (!stream.closed) stream.destroy();
    }
  }

  /** Tells the agent something; resolves when it was heard, or cannot be. */
  notice(notice: Notice): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#session.closed || this.#session.destroyed) return Promise.resolve();
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': NOTICE_PATH,
      'content-type': 'application/json',
    });
    stream.on('error', () => {}).on('close', resolve);
    stream.resume();
    stream.end(JSON.stringify(notice));
    return promise;
  }

  /** Ends what is under way, says goodbye and hangs up. */
  async bye(code: ByeCode, detail: string): Promise<void> {
    if (this.#reason !== null) return;
    this.#reason = detail;
    this.#failAll(detail);
    const enough = new AbortController();
    const patience = this.#runtime.sleep(GOODBYE, enough.signal).catch(() => {});
    await Promise.race([this.notice({ type: 'bye', code, detail }), patience]);
    enough.abort();
    this.#close(detail);
  }

  /** Ends at once. */
  end(reason: string): void {
    if (this.#reason === null) {
      this.#reason = reason;
      this.#failAll(reason);
    }
    this.#close(this.#reason);
  }

  #failAll(reason: string): void {
    for (const passenger of [...this.#passengers]) passenger.lost(reason);
    this.#passengers.clear();
  }

  #close(reason: string): void {
    this.#stopHeartbeat();
    this.#session.destroy();
    this.#stream.destroy();
    this.#ended.resolve(reason);
  }
}

/**
 * As the other end counts them (RFC 9113 section 6.5.2). Of more than it takes, node:http2 says nothing to who sends them, and ends the session:
 * one caller's long headers would be the end of everybody's calls.
 */
function listSize(headers: Record<string, string>): number {
  let size = 0;
  for (const name in headers) size += name.length + headers[name]!.length + 32;
  return size;
}

function gone(reason: string): never {
  throw new HelloError(reason);
}

/** What an agent says of its own in an answer; null for an answer of the local server. */
export const agentErrorOf = (headers: Record<string, unknown>): string | null => {
  const code = headers[AGENT_ERROR];
  return typeof code === 'string' ? code : null;
};
