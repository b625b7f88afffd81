import type { Duplex } from 'node:stream';
import type { Bus } from '../platform/bus.ts';
import { createGuardedLookup } from '../platform/net-fetch.ts';
import { HandshakeRefused, type SocketWay } from '../terms/socket-way.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { createEgress } from './egress.ts';
import { openSocket } from './socket-egress.ts';
import { upstreamFailure } from './upstream-failure.ts';

/** A test of a connection does not wait longer for one, milliseconds. */
const DIAL_TIMEOUT = 5_000;

/** Ways to upstreams over the network. */
export interface Ways extends AsyncDisposable {
  to(upstream: Upstream): Transport;
  /** The same, for WebSockets. */
  socketTo(upstream: Upstream): SocketWay;
  /** One of its own, whose owner closes it. */
  dial(upstream: Upstream): Transport & AsyncDisposable;
}

/**
 * Pools for the upstreams of the configuration file, and others for those that admins add: an admin's word reaches as far as the operator's
 * but in one respect, never where a cloud keeps its metadata, under whatever name. A pool that no added upstream needs any more is closed.
 */
export function createWays(deps: {
  configured: readonly Upstream[];
  upstreams: { list(): readonly Upstream[] };
  bus: Pick<Bus, 'subscribe'>;
  /** Opens a connection to an upstream that is within this process. */
  embedded(upstream: Upstream): Duplex;
}): Ways {
  const ofFile = new Set(deps.configured);
  const lookup = createGuardedLookup({ privateAddresses: true });
  const egress = createEgress();
  const guarded = createEgress({ lookup });
  const inside = (upstream: Upstream) => () => deps.embedded(upstream);
  /** Each has an origin of its own, that of its URL. */
  const within = createEgress({
    connect: url => deps.embedded(deps.configured.find(upstream => upstream.url.origin === url.origin)!),
  });
  deps.bus.subscribe(notice => {
    if (notice.topic === 'upstream-changed')
      guarded.retain(new Set(deps.upstreams.list().map(({ url }) => url.origin)));
  });

  return {
    to: upstream =>
      (isEmbedded(upstream) ? within : ofFile.has(upstream) ? egress : guarded).to(upstream.url),
    socketTo: upstream => ({
      async open(path, headers, signal) {
        try {
          return await openSocket(
            upstream.url,
            path,
            headers,
            signal,
            isEmbedded(upstream)
              ? { createConnection: inside(upstream) }
              : ofFile.has(upstream)
                ? {}
                : { lookup },
          );
        } catch (error) {
          throw error instanceof HandshakeRefused ? error : upstreamFailure(error as Error, upstream);
        }
      },
    }),
    dial(upstream) {
      const single = createEgress({
        connections: 1,
        connectTimeout: DIAL_TIMEOUT,
        ...(isEmbedded(upstream) ? { connect: inside(upstream) } : ofFile.has(upstream) ? {} : { lookup }),
      });
      return { ...single.to(upstream.url), [Symbol.asyncDispose]: () => single[Symbol.asyncDispose]() };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([egress, guarded, within].map(one => one[Symbol.asyncDispose]()));
    },
  };
}

const isEmbedded = ({ terminal }: Upstream): boolean => terminal?.embedded === true;
