/**
 * More than 300 lines: what a session is apart from its frames is in foreign-agents.ts, frames.ts and session-log.ts; the frames share its state.
 */
import { startHeartbeat } from '@sallyport/protocol/heartbeat.ts';
import { DEAD_AFTER } from '@sallyport/protocol/limits.ts';
import type { ByeCode } from '@sallyport/protocol/notice.ts';
import type { WebSocket } from 'ws';
import { AppError } from '../../platform/errors.ts';
import { PassingMap } from '../../platform/passing.ts';
import type { Runtime } from '../../platform/runtime.ts';
import type { LineWanted, MessageLineEvents, PlainLine } from '../../terms/message-line.ts';
import { tunnelLost } from '../agent-failure.ts';
import type { Peer } from '../peer.ts';
import { isObject, type Json, kindOf, parseFrame } from './frames.ts';
import { createSessionLog } from './session-log.ts';

/** A heartbeat so soon after one of ours is its echo, milliseconds. */
const ECHO = 1_000;
/** A frame toward an agent: its WebSocket library takes no larger one. */
const DOWN_BYTES = 1024 * 1024;
/** A frame of a second generation agent, which knows that limit. */
const SECOND_BYTES = 1024 * 1024;
/** What waits for an agent that reads slowly; nothing is added to more. */
const UNSENT_BYTES = 4 * 1024 * 1024;
/** Requests of the HTTP side that wait for their replies. */
const MOST_ASKED = 1_000;
/** A second generation agent beats every 2 s while its server is well; one that is silent for so long has lost it, milliseconds. */
const UNWELL = 90_000;
/** What of a second generation's handshake may take, milliseconds. */
const HANDSHAKE = 15_000;
/** Begins the ids of our own requests toward one; never `init-` or `health_check_`, which are the agents' own. */
const HANDSHAKE_ID = 'sallyport-';
/** What a server may have that it lists. */
const LISTED = ['tools', 'prompts', 'resources'];
const LEGACY = '2024-11-05';

/** What an agent says its server is. */
export interface ServerInfo {
  readonly name: string;
  readonly description: string | null;
  readonly protocol: string | null;
}

/**
 * One ContextForge agent, of either generation: a WebSocket of JSON frames, whose payloads are one server's JSON-RPC messages. Messages
 * reach whoever has the line; those of the HTTP side, and what the server says by itself, are in the log as well.
 */
export class ForeignSession implements Peer {
  /** Minted here: what the client calls itself grants nothing. */
  readonly id: string;
  readonly epoch: number;
  readonly connectedAt: number;
  readonly log = createSessionLog();
  info: ServerInfo | null = null;
  lastActivity: number;
  messages = 0;
  bytes = 0;
  readonly #socket: WebSocket;
  readonly #runtime: Runtime;
  readonly #registered: (info: ServerInfo) => Promise<string | null>;
  readonly #ended = Promise.withResolvers<string>();
  readonly #stopHeartbeat: () => void;
  readonly #asked = new PassingMap<string, { id: unknown; reply: (message: Json) => void }>();
  #line: { readonly tunnel: string; readonly events: MessageLineEvents } | null = null;
  #reason: string | null = null;
  #beatAt = Number.NEGATIVE_INFINITY;
  #count = 0;
  #spokeAt = 0;
  #watched = false;
  readonly #over = new AbortController();
  /** Of the second generation, as its register showed. */
  #second = false;
  /** What of the handshake waits for its reply. */
  readonly #shaking = new Map<string, (reply: Json) => void>();

  /** @param deps.registered makes it known; resolves with why it may not be, or null */
  constructor(
    socket: WebSocket,
    deps: {
      id: string;
      epoch: number;
      runtime: Runtime;
      registered(info: ServerInfo): Promise<string | null>;
    },
  ) {
    this.#socket = socket;
    this.#runtime = deps.runtime;
    this.#registered = deps.registered;
    this.id = deps.id;
    this.epoch = deps.epoch;
    this.connectedAt = deps.runtime.now();
    this.lastActivity = this.connectedAt;
    const life = { heardAt: deps.runtime.monotonic() };
    const heard = () => {
      life.heardAt = deps.runtime.monotonic();
    };
    this.#stopHeartbeat = startHeartbeat({
      session: {
        destroyed: false,
        ping: () => {
          socket.ping();
          return true;
        },
      },
      stream: life,
      clock: deps.runtime,
      dead: () => this.#end(`nothing was heard of the agent for ${DEAD_AFTER / 1000} s`),
    });
    socket.on('ping', heard).on('pong', heard);
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      heard();
      if (isBinary) this.#sayError('Text frames are expected.');
      else this.#frame(data.toString('utf8'));
    });
    socket.on('close', () => this.#end('the agent hung up'));
    socket.on('error', error => this.#end(`the connection failed (${error.message})`));
  }

  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  get over(): boolean {
    return this.#reason !== null;
  }

  get full(): AppError | null {
    return null;
  }

  async bye(code: ByeCode, detail: string): Promise<void> {
    // Close codes of RFC 6455 section 7.4.1: going away, or a policy.
    this.#end(detail, code === 'stopping' ? 1001 : 1008);
  }

  /** Opens the one line there is; a second one takes it from the first. */
  lines(tunnel: string, _wanted: LineWanted, events: MessageLineEvents): PlainLine {
    const lost = `The tunnel ${tunnel} has one program for all, and it is spoken with by another session now.`;
    this.#line?.events.closed(new AppError('upstream_failed', lost));
    const line = { tunnel, events };
    this.#line = line;
    const mine = () => this.#line === line;
    return {
      send: text => {
        if (mine()) this.#send(text);
      },
      pause: () => this.#socket.pause(),
      resume: () => this.#socket.resume(),
      close: () => {
        if (!mine()) return;
        this.#line = null;
        this.#socket.resume();
        events.closed(null);
      },
    };
  }

  /**
   * Sends a message for the HTTP side, a request under an id of ours.
   * @returns its reply, under its own id again; null for what has none
   * @throws AppError `body_too_large`, `unavailable`
   */
  ask(message: Json): Promise<Json> | null {
    const { promise, resolve } = Promise.withResolvers<Json>();
    const isRequest = kindOf(message) === 'request';
    const id = `rq-${++this.#count}`;
    this.#send(JSON.stringify(isRequest ? { ...message, id } : message));
    if (!isRequest) return null;
    const oldest = this.#asked.size < MOST_ASKED ? undefined : this.#asked.keys().next().value;
    if (oldest !== undefined)
      this.#giveUp(oldest, 'Too many requests wait for this agent; this was the oldest.');
    this.#asked.set(id, { id: message['id'], reply: resolve });
    return promise;
  }

  #giveUp(asked: string, message: string): void {
    const { id, reply } = this.#asked.get(asked)!;
    this.#asked.delete(asked);
    reply({ jsonrpc: '2.0', id, error: { code: -32603, message } });
  }

  #frame(text: string): void {
    this.lastActivity = this.#runtime.now();
    this.#spokeAt = this.#runtime.monotonic();
    this.bytes += text.length;
    if (this.#second && Buffer.byteLength(text) > SECOND_BYTES) {
      this.#end('a frame is larger than 1 MiB', 1009);
      return;
    }
    const frame = parseFrame(text);
    switch (frame?.type) {
      case undefined:
        this.#sayError('A frame is a JSON object with a type.');
        break;
      case 'register':
        void this.#register(frame!);
        break;
      case 'unregister':
        this.#end('the agent left');
        break;
      case 'heartbeat':
        this.#heartbeat();
        break;
      case 'response':
      case 'notification':
      case 'request':
        if (isObject(frame!['payload'])) this.#message(frame!['payload']);
        else this.#sayError('The payload is no JSON-RPC message.');
        break;
      default:
        this.#sayError(`There is no frame of type ${frame!.type.slice(0, 40)}.`);
    }
  }

  /** A client of the first generation answers every heartbeat: an echo is not answered, or it would never end. */
  #heartbeat(): void {
    const now = this.#runtime.monotonic();
    if (this.#second && !this.#watched) void this.#watch().catch(() => {});
    if (now - this.#beatAt < ECHO) return;
    this.#beatAt = now;
    this.#down({
      type: 'heartbeat',
      sessionId: this.id,
      timestamp: new Date(this.#runtime.now()).toISOString(),
    });
  }

  /** It answers pings for as long as it runs itself. */
  async #watch(): Promise<void> {
    this.#watched = true;
    for (;;) {
      const left = this.#spokeAt + UNWELL - this.#runtime.monotonic();
      if (left <= 0) return this.#end('its agent said nothing of its server for 90 s', 1001);
      await this.#runtime.sleep(left, this.#over.signal);
    }
  }

  /** The second generation sends no session id of its own; it waits until the gateway has spoken with its server. */
  async #register(frame: Json): Promise<void> {
    if (this.info !== null) {
      this.#sayError('This session is registered already.');
      this.#end('a second register came', 1008);
      return;
    }
    const server = isObject(frame['server']) ? frame['server'] : {};
    const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 2_000) : null);
    const info = {
      name: text(server['name']) ?? 'server',
      description: text(server['description']),
      protocol: text(server['protocol']),
    };
    this.info = info;
    const first = typeof frame['sessionId'] === 'string';
    this.#second = !first;
    const problem = await this.#registered(info).catch((error: Error) => error.message);
    if (problem !== null) {
      this.#down({
        type: first ? 'error' : 'register_complete',
        sessionId: this.id,
        status: 'error',
        message: problem,
      });
      this.#end(problem, 1008);
      return;
    }
    this.#down({ type: 'register_ack', sessionId: this.id, status: first ? 'success' : 'processing' });
    if (!first) await this.#shakeHands();
  }

  /** initialize, then the lists: a server that answers those is one. */
  async #shakeHands(): Promise<void> {
    const clientInfo = { name: 'sallyport', version: '1' };
    const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo };
    const initialized = await this.#shake('initialize', params);
    const result = initialized?.['result'];
    if (this.over) return;
    if (!isObject(result)) return this.#refuse('The server did not answer initialize.');
    this.#send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
    const capabilities = isObject(result['capabilities']) ? result['capabilities'] : {};
    for (const list of LISTED) {
      if (!isObject(capabilities[list])) continue;
      const listed = await this.#shake(`${list}/list`, {});
      if (this.over) return;
      if (listed === null) return this.#refuse(`The server did not answer ${list}/list.`);
    }
    this.#down({ type: 'register_complete', sessionId: this.id, status: 'success' });
  }

  #refuse(message: string): void {
    this.#down({ type: 'register_complete', sessionId: this.id, status: 'error', message });
    this.#end(message, 1008);
  }

  /** @returns its reply; null when none came in time, or the session is over */
  async #shake(method: string, params: Json): Promise<Json | null> {
    const id = `${HANDSHAKE_ID}${method}`;
    const reply = new Promise<Json>(resolve => this.#shaking.set(id, resolve));
    this.#send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    const enough = new AbortController();
    const late = this.#runtime.sleep(HANDSHAKE, enough.signal).then(
      () => null,
      () => null,
    );
    const answer = await Promise.race([reply, late, this.ended.then(() => null)]);
    enough.abort();
    this.#shaking.delete(id);
    return answer;
  }

  #message(payload: Json): void {
    this.messages += 1;
    const { id } = payload;
    if (kindOf(payload) === 'response' && typeof id === 'string') {
      // Of the initialize that the client sends its server by itself.
      if (id.startsWith('init-') || id.startsWith('health_check_')) return;
      if (id.startsWith(HANDSHAKE_ID)) {
        this.#shaking.get(id)?.(payload);
        return;
      }
      const asked = this.#asked.get(id);
      if (asked !== undefined) {
        this.#asked.delete(id);
        const reply = { ...payload, id: asked.id };
        this.log.add(JSON.stringify(reply));
        asked.reply(reply);
        return;
      }
    }
    const text = JSON.stringify(payload);
    if (kindOf(payload) !== 'response') this.log.add(text);
    this.#line?.events.message(text);
  }

  /** @throws AppError `body_too_large`, `unavailable` */
  #send(message: string): void {
    const text = `{"type":"request","sessionId":${JSON.stringify(this.id)},"payload":${message}}`;
    if (Buffer.byteLength(text) > DOWN_BYTES)
      throw new AppError('body_too_large', 'The message is larger than this agent takes (1 MiB).');
    if (this.#socket.bufferedAmount > UNSENT_BYTES) {
      const words = 'The agent does not read what it is sent; this was not sent. Try again later.';
      throw new AppError('unavailable', words);
    }
    this.#sendText(text);
  }

  /** What an agent that does not read would not miss is not kept for it. */
  #down(frame: Json): void {
    if (this.#socket.bufferedAmount <= UNSENT_BYTES) this.#sendText(JSON.stringify(frame));
  }

  #sendText(text: string): void {
    this.bytes += text.length;
    this.messages += 1;
    this.lastActivity = this.#runtime.now();
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
  }

  #sayError(message: string): void {
    this.#down({ type: 'error', message });
  }

  #end(reason: string, code = 1000): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#stopHeartbeat();
    this.#over.abort();
    this.#line?.events.closed(tunnelLost(this.#line.tunnel, reason));
    this.#line = null;
    for (const id of this.#asked.keys())
      this.#giveUp(
        id,
        `The agent was lost before it answered: ${reason}. Whether it took effect is not known.`,
      );
    this.#socket.close(code, reason.slice(0, 100));
    this.#ended.resolve(reason);
  }
}
