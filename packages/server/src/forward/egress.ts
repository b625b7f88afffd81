import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Transport } from '../terms/transport.ts';
import { Pool } from './http1/pool.ts';

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
    const { connections = 20_000, connectTimeout = 10_000, lookup, connect } = options;
    const pool = new Pool(url, { connections, connectTimeout, lookup, connect }, performance.now());
    const transport: Transport = { send: (request, receiver) => pool.dispatch(request, receiver) };
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
