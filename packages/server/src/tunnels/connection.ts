import { AGENT_ERROR } from '@sallyport/protocol/agent-error.ts';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { startHeartbeat } from '@sallyport/protocol/heartbeat.ts';
import { type Hello, HelloError, parseHello } from '@sallyport/protocol/hello.ts';
import { Http2Client } from '@sallyport/protocol/http2/client.ts';
import type { ClientStream, StreamTaker } from '@sallyport/protocol/http2/client-stream.ts';
import { Http2Error } from '@sallyport/protocol/http2/codes.ts';
import { type Fields, listSize } from '@sallyport/protocol/http2/fields.ts';
import {
  ANNOUNCED,
  DEAD_AFTER,
  HEADER_BYTES,
  HELLO_PATH,
  HELLO_WITHIN,
  MAX_STREAMS,
  NOTICE_PATH,
} from '@sallyport/protocol/limits.ts';
import type { ByeCode, Notice } from '@sallyport/protocol/notice.ts';
import { shareWindow } from '@sallyport/protocol/share-window.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { askAgent } from './document.ts';
import type { Peer } from './peer.ts';

/** How long a goodbye may take to be heard, milliseconds. */
const GOODBYE = 1_000;

/** Something under way in a tunnel, which ends with it. */
export interface Passenger extends StreamTaker {
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
  readonly #client: Http2Client;
  readonly #stream: ByteStream;
  readonly #runtime: Runtime;
  readonly #stopHeartbeat: () => void;
  readonly #share: (calls: number) => void;
  /** The calls under way, each of which knows its place (decisions/0018) … */
  readonly #streams: ClientStream[] = [];
  /** … and whose they are, at the same places. */
  readonly #passengers: Passenger[] = [];
  readonly #ended = Promise.withResolvers<string>();
  /** Why it ends, once that is known. */
  #reason: string | null = null;
  #leaving: () => void = () => {};
  #settled: () => void = () => {};

  constructor(stream: ByteStream, epoch: number, runtime: Runtime) {
    this.epoch = epoch;
    this.openedAt = runtime.now();
    this.#stream = stream;
    this.#runtime = runtime;
    const client = new Http2Client(ANNOUNCED, {
      send: (bytes, done) => void stream.write(bytes, error => error == null && done()),
      leaving: () => this.#leaving(),
      broken: why => this.end(why),
      settled: () => this.#settled(),
      left: one => this.#left(one),
    });
    this.#client = client;
    this.#share = shareWindow({
      settings: ({ initialWindowSize }) => client.setStreamWindow(initialWindowSize),
      on: (_event, listener) => {
        this.#settled = listener;
      },
      get pendingSettingsAck() {
        return client.unsettled;
      },
      get destroyed() {
        return client.destroyed;
      },
    });
    stream.on('data', (bytes: Buffer) => client.received(bytes));
    stream.on('close', () => this.end('the agent hung up'));
    stream.on('error', error => this.end(`the connection failed (${error.message})`));
    this.#stopHeartbeat = startHeartbeat({
      session: client,
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
    return this.#streams.length;
  }

  /** Whether the agent opens WebSockets (RFC 8441 section 3). Its settings come before its first answer, so the hello's reader knows. */
  get opensSockets(): boolean {
    return this.#client.opensSockets;
  }

  /** @param leaving called when the agent takes nothing new any more, and ends what it has (GOAWAY) */
  onLeaving(leaving: () => void): void {
    this.#leaving = leaving;
  }

  /** Why nothing more can be carried, or null. */
  get full(): AppError | null {
    if (this.#streams.length < MAX_STREAMS) return null;
    return new AppError('unavailable', `This tunnel has ${MAX_STREAMS} calls under way already; try again.`, {
      headers: { 'retry-after': '1' },
    });
  }

  /**
   * Opens a stream.
   * @param headers names, in lower case, and values in turn; the method is the first
   * @throws AppError `headers_too_large`; Http2Error for headers that cannot be sent, or where nothing more is taken
   */
  request(headers: readonly string[], passenger: Passenger, endStream: boolean): ClientStream {
    if (listSize(headers) > Math.min(HEADER_BYTES, this.#client.mostHeaderBytes))
      throw new AppError(
        'headers_too_large',
        `The request's headers are more than a tunnel carries (64 KiB).`,
      );
    // After a thousand million calls; the agent comes again at once.
    if (this.#client.exhausted)
      void this.bye('stopping', 'the connection has carried all calls that one can');
    const stream = this.#client.request(headers, passenger, endStream);
    stream.place = this.#streams.push(stream) - 1;
    this.#passengers.push(passenger);
    this.#share(this.#streams.length);
    return stream;
  }

  #left(stream: ClientStream): void {
    if (stream.place < 0) return;
    const last = this.#streams.pop()!;
    const passenger = this.#passengers.pop()!;
    if (last !== stream) {
      this.#streams[stream.place] = last;
      this.#passengers[stream.place] = passenger;
      last.place = stream.place;
    }
    this.#share(this.#streams.length);
  }

  /** Lets calls end whose readers take nothing. */
  lookForStalled(): void {
    for (const passenger of [...this.#passengers]) passenger.stillRead?.();
  }

  /** What the agent serves. @throws HelloError */
  async hello(): Promise<Hello> {
    const over = new AbortController();
    const late = this.#runtime.sleep(HELLO_WITHIN, over.signal).then(() => {
      throw new HelloError('it did not come in time');
    });
    late.catch(() => {});
    try {
      const asked = askAgent(this.#client, headersFor('GET', HELLO_PATH), null, over.signal);
      const { status, text } = await Promise.race([asked, late]);
      if (status !== 200) throw new HelloError(`the answer was ${status}`);
      return parseHello(text);
    } catch (error) {
      throw error instanceof Http2Error ? new HelloError(this.#reason ?? error.message) : error;
    } finally {
      over.abort();
    }
  }

  /** Tells the agent something; resolves when it was heard, or cannot be. */
  async notice(notice: Notice): Promise<void> {
    const headers = headersFor('POST', NOTICE_PATH, 'content-type', 'application/json');
    await askAgent(this.#client, headers, JSON.stringify(notice)).catch(() => {});
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
  }

  #close(reason: string): void {
    this.#stopHeartbeat();
    this.#client.destroy(reason);
    this.#stream.destroy();
    this.#ended.resolve(reason);
  }
}

/** The head of a request, as a tunnel has it. @param more names and values in turn */
export const headersFor = (method: string, path: string, ...more: string[]): string[] => [
  ':method',
  method,
  ':scheme',
  'http',
  ':path',
  path,
  ':authority',
  'tunnel',
  ...more,
];

/** What an agent says of its own in an answer; null for an answer of the local server. */
export const agentErrorOf = (headers: Fields): string | null => {
  const code = headers[AGENT_ERROR];
  return typeof code === 'string' ? code : null;
};
