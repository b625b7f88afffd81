<<<<<<< HEAD
import type { LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type buildConnector, type Dispatcher, Pool } from 'undici';
import type { OutboundRequest, ResponseReceiver, Transport } from '../terms/transport.ts';
=======
import type { LookupFunction } from 'node:net';
import type { Transport } from '../terms/transport.ts';
import { Pool } from './http1/pool.ts';
>>>>>>> 3a0b3e6 (perf(forward): an own HTTP/1.1 client (wip))

/** Connections to upstreams over the network: one pool an origin, shared by the upstreams that live there. */
export interface Egress extends AsyncDisposable {
  to(url: URL): Transport;
  /** Closes the pools of all other origins, each when its last call has ended. */
  retain(origins: ReadonlySet<string>): void;
}

interface Way {
  readonly pool: Pool;
  readonly transport: Transport;
  closed: boolean;
}

/** How often is looked at what waits too long, milliseconds. */
const TICK = 250;

/**
 * @param options.connections at most, to one origin; further requests wait. The default holds more streams than the file limit of a process.
 * @param options.connect opens connections, where not over the network
 * @param options.lookup how names are resolved, where not as the system does it
 */
export function createEgress(
  options: {
    connections?: number;
    connectTimeout?: number;
    lookup?: LookupFunction;
    connect?: (url: URL) => Duplex;
  } = {},
): Egress {
  const ways = new Map<string, Way>();
  /** An upstream's URL is one object for all its life, and reading an origin costs more than looking it up. */
  const known = new WeakMap<URL, Way>();
  /** Waiting for their last calls. */
  const closing = new Set<Way>();

  function open(url: URL): Way {
    const shared = ways.get(url.origin);
    if (shared) return shared;
<<<<<<< HEAD
    const pool = new Pool(url.origin, {
      connections: options.connections ?? 20_000,
      pipelining: 1,
      // One protocol, whose framing the smuggling tests cover.
      allowH2: false,
      // Less than any server's own (uvicorn's is 5 s): a connection that it closes just then would cost a request, since none is sent twice.
      keepAliveTimeout: 4_000,
      connect:
        options.connect === undefined
          ? {
              timeout: options.connectTimeout ?? 10_000,
              ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
            }
          : connectorOf(options.connect, url),
      bodyTimeout: BODY_TIMEOUT,
      // Ours is streamed: nothing is held, so its length needs no limit.
      maxResponseSize: -1,
    });
    const transport: Transport = {
      send: (request, receiver) => dispatch(pool, url.host, request, receiver),
    };
=======
    const { connections = 20_000, connectTimeout = 10_000, lookup } = options;
    const pool = new Pool(url, { connections, connectTimeout, lookup }, performance.now());
    const transport: Transport = { send: (request, receiver) => pool.dispatch(request, receiver) };
>>>>>>> 3a0b3e6 (perf(forward): an own HTTP/1.1 client (wip))
    const way = { pool, transport, closed: false };
    ways.set(url.origin, way);
    return way;
  }

  function tick(): void {
    const now = performance.now();
    for (const { pool } of ways.values()) pool.tick(now);
    for (const { pool } of closing) pool.tick(now);
  }
  const ticking = setInterval(tick, TICK).unref();

  return {
    to(url) {
      let way = known.get(url);
      if (way === undefined || way.closed) known.set(url, (way = open(url)));
      return way.transport;
    },
    retain(origins) {
      for (const [origin, way] of ways) {
        if (origins.has(origin)) continue;
        ways.delete(origin);
        way.closed = true;
        closing.add(way);
        void way.pool.close().then(() => closing.delete(way));
      }
    },
    async [Symbol.asyncDispose]() {
      clearInterval(ticking);
      await Promise.all([...ways.values(), ...closing].map(({ pool }) => pool.destroy()));
    },
  };
}
<<<<<<< HEAD

/** undici asks for a socket, uses of it what any stream has, and does not expect to be answered at once. */
const connectorOf =
  (connect: (url: URL) => Duplex, url: URL): buildConnector.connector =>
  (_options, callback) =>
    process.nextTick(() => {
      try {
        callback(null, connect(url) as Socket);
      } catch (error) {
        callback(error as Error, null);
      }
    });

function dispatch(pool: Pool, host: string, request: OutboundRequest, receiver: ResponseReceiver): void {
  request.headers.push('host', host);
  pool.dispatch(
    {
      method: request.method as Dispatcher.HttpMethod,
      path: request.path,
      headers: request.headers,
      body: request.body,
      headersTimeout: request.headersTimeout,
      // A request that got half way is an answer we do not know: never sent a second time.
      idempotent: false,
    },
    new Handler(receiver),
  );
}

class NotWanted extends Error {
  override readonly name = 'NotWanted';
}

/** undici's callbacks as ours. */
class Handler implements Dispatcher.DispatchHandler {
  readonly #receiver: ResponseReceiver;

  constructor(receiver: ResponseReceiver) {
    this.#receiver = receiver;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown before a byte is written, it leaves the connection to the next request; aborting would end it.
    if (!this.#receiver.begin(controller)) throw new NotWanted();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // Informational responses (RFC 9110 section 15.2) speak to this hop.
    if (status >= 200) this.#receiver.head(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#receiver.data(chunk);
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void {
    this.#receiver.end(trailers);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#receiver.error(error);
  }
}
=======
>>>>>>> 3a0b3e6 (perf(forward): an own HTTP/1.1 client (wip))
