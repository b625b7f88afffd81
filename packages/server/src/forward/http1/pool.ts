import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import type { OutboundRequest, ResponseReceiver } from '../../terms/transport.ts';
import { Connection, type Owner } from './connection.ts';
import { dial, lends } from './dial.ts';

export interface PoolOptions {
  /** At most; further requests wait. */
  readonly connections: number;
  /** Milliseconds. */
  readonly connectTimeout: number;
  readonly lookup: LookupFunction | undefined;
  /** Opens connections, where not over the network. */
  readonly connect?: ((url: URL) => Duplex) | undefined;
}

interface Waiting {
  readonly request: OutboundRequest;
  readonly receiver: ResponseReceiver;
}

/** Kept-alive connections to one origin. The one used last is used next, so that those too many grow old. */
export class Pool implements Owner {
  readonly #url: URL;
  readonly #options: PoolOptions;
  readonly #open = new Set<Connection>();
  /** Being opened, until when they may be. */
  readonly #opening = new Map<Duplex, number>();
  readonly #idle: Connection[] = [];
  readonly #resting: Connection[] = [];
  readonly #queue: Waiting[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #closing = false;
  #session: Buffer | undefined;
  now: number;

  /** @param now coarse milliseconds, as `tick` goes on with */
  constructor(url: URL, options: PoolOptions, now: number) {
    this.#url = url;
    this.#options = options;
    this.now = now;
  }

  dispatch(request: OutboundRequest, receiver: ResponseReceiver): void {
    for (let free = this.#idle.pop(); free !== undefined; free = this.#idle.pop()) {
      if (free.usable) {
        this.#sendOn(free, { request, receiver });
        return;
      }
      free.destroy();
    }
    if (this.#open.size + this.#opening.size < this.#options.connections)
      this.#connect({ request, receiver });
    else this.#queue.push({ request, receiver });
  }

  #sendOn(connection: Connection, { request, receiver }: Waiting): void {
    try {
      if (connection.send(request, receiver)) return;
      receiver.error(new NotWanted());
    } catch (error) {
      receiver.error(error as Error);
    }
    this.free(connection);
  }

  #connect(first: Waiting): void {
    const { lookup, connectTimeout, connect } = this.#options;
    if (connect !== undefined) {
      // Not at once: who asks does not expect to be answered while it asks.
      process.nextTick(() => {
        try {
          const stream = connect(this.#url);
          const connection = this.#begin(stream, first, false);
          stream.on('data', (bytes: Buffer) => connection.received(bytes));
        } catch (error) {
          first.receiver.error(error as Error);
        }
      });
      return;
    }
    const remember = (session: Buffer) => {
      this.#session = session;
    };
    let connection: Connection | null = null;
    // Who speaks before it is asked has not understood HTTP.
    const received = (bytes: Buffer) => (connection === null ? socket.destroy() : connection.received(bytes));
    const socket = dial(this.#url, { lookup, session: this.#session, remember, received }, error => {
      this.#opening.delete(socket);
      if (error !== null) {
        socket.on('error', () => {}).destroy();
        first.receiver.error(error);
        this.#next();
        return;
      }
      connection = this.#begin(socket, first, lends(this.#url));
    });
    this.#opening.set(socket, this.now + connectTimeout);
  }

  #begin(stream: Duplex, first: Waiting, lent: boolean): Connection {
    const connection = new Connection(stream, lent, this.#url.host, this);
    this.#open.add(connection);
    this.#sendOn(connection, first);
    return connection;
  }

  rest(connection: Connection): void {
    if (this.#resting.push(connection) === 1) setImmediate(this.#rested);
  }

  readonly #rested = (): void => {
    for (const connection of this.#resting.splice(0)) if (!connection.dead) this.free(connection);
  };

  free(connection: Connection): void {
    const next = this.#queue.shift();
    if (next !== undefined) this.#sendOn(connection, next);
    else if (this.#closing) connection.destroy();
    else this.#idle.push(connection);
  }

  gone(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#next();
  }

  /** There is room for a connection again. */
  #next(): void {
    const next = this.#queue.shift();
    if (next !== undefined) this.dispatch(next.request, next.receiver);
    else if (this.#closing && this.#open.size + this.#opening.size === 0) this.#closed.resolve();
  }

  /** Gives up what has waited too long. @param now coarse milliseconds */
  tick(now: number): void {
    this.now = now;
    for (const [socket, until] of this.#opening) if (now >= until) socket.destroy(noConnection());
    for (const connection of this.#open) connection.expire(now);
  }

  /** Takes nothing new; resolves when the last call has ended. */
  close(): Promise<void> {
    this.#closing = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    if (this.#queue.length === 0 && this.#open.size + this.#opening.size === 0) this.#closed.resolve();
    return this.#closed.promise;
  }

  /** Ends everything; calls under way end as if the other side had hung up. */
  destroy(): Promise<void> {
    for (const { receiver } of this.#queue.splice(0)) receiver.error(new NotWanted());
    for (const socket of this.#opening.keys()) socket.destroy();
    const ended = this.close();
    for (const connection of this.#open) connection.destroy();
    return ended;
  }
}

class NotWanted extends Error {
  override readonly name = 'NotWanted';
}

const noConnection = () => Object.assign(new Error('no connection in time'), { code: 'ERR_CONNECT_TIMEOUT' });
