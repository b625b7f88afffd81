import type { IncomingMessage } from 'node:http';
import { TUNNEL_PATH } from '@sallyport/protocol/limits.ts';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { may } from './access/access.ts';
import type { Call } from './forward/call.ts';
import type { DataPlaneRoute } from './http/server.ts';
import type { UpgradeRoute } from './http/upgrades.ts';
import { type Credentials, credentialsWith } from './identity/credentials.ts';
import type { Db } from './platform/db/db.ts';
import type { AppError } from './platform/errors.ts';
import type { Metrics } from './platform/metrics.ts';
import type { Principal } from './terms/principal.ts';
import type { SocketWay } from './terms/socket-way.ts';
import type { Transport } from './terms/transport.ts';
import type { Upstream } from './terms/upstream.ts';
import { fallbackRoute } from './tunnels/fallback.ts';
import { foreignRoutes } from './tunnels/foreign/routes.ts';
import { tunnelRoutes } from './tunnels/routes.ts';
import { createTunnelStore } from './tunnels/tunnel-store.ts';
import { createTunnels, type Tunnels, type TunnelsDeps } from './tunnels/tunnels.ts';

/** Where ContextForge's client dials. */
const FOREIGN_PATHS = ['/reverse-proxy', '/v1/reverse-proxy'];

interface Failing {
  of(upstreamId: string): { readonly since: number; readonly said: string } | null;
}

/** Tunnels, and all that is called by name together with them. */
export interface JoinedTunnels {
  readonly tunnels: Tunnels;
  /** Upstreams and tunnels as one; an upstream goes before a tunnel of its name. */
  readonly destinations: {
    /** @param asker as they see it: a tunnel that nobody gave them does not exist */
    find(id: string, asker?: Principal): Upstream | undefined;
    list(): readonly Upstream[];
  };
  transportTo(upstream: Upstream): Transport;
  socketTo(upstream: Upstream): SocketWay;
  readonly upgrades: readonly UpgradeRoute[];
  readonly routes: readonly FastifyPluginAsyncZod[];
  readonly fallback: DataPlaneRoute;
  /** All that is called by name, and which of it fails: a tunnel whose agent is away does. */
  health(failing: Failing): { upstreams: JoinedTunnels['destinations']; failing: Failing };
}

export function joinTunnels(
  deps: Omit<TunnelsDeps, 'store' | 'identity' | 'taken' | 'open'> & {
    db: Db;
    authenticate(credentials: Credentials): ReturnType<TunnelsDeps['identity']['authenticate']>;
    upstreams: JoinedTunnels['destinations'];
    ways: { to(upstream: Upstream): Transport; socketTo(upstream: Upstream): SocketWay };
    metrics: Metrics;
    answerProblem(call: Call, error: AppError): void;
    users: { labels(ids: readonly string[]): Promise<ReadonlyMap<string, string>> };
    keysLimitedTo(upstreamId: string): Promise<readonly string[]>;
  },
): JoinedTunnels {
  const { db, upstreams, ways, metrics, ...common } = deps;
  const tunnels = createTunnels({
    ...common,
    store: createTunnelStore(db, deps.runtime),
    identity: {
      authenticate: (request: IncomingMessage, bearer?: string) =>
        deps.authenticate(credentialsWith(request, bearer)),
    },
    taken: id => upstreams.find(id) !== undefined,
    open: metrics.gauge('sallyport_tunnels', 'Connections of agents.'),
  });
  const destinations: JoinedTunnels['destinations'] = {
    find(id, asker) {
      const upstream = upstreams.find(id);
      if (upstream !== undefined) return upstream;
      const tunnel = tunnels.find(id);
      return tunnel !== undefined && asker !== undefined && isUnseen(tunnel, asker) ? undefined : tunnel;
    },
    list: () => [...upstreams.list(), ...tunnels.list()],
  };
  return {
    tunnels,
    destinations,
    health: failing => ({
      upstreams: destinations,
      failing: { of: id => tunnels.failing(id) ?? failing.of(id) },
    }),
    transportTo: upstream => tunnels.transportTo(upstream) ?? ways.to(upstream),
    socketTo: upstream => tunnels.socketTo(upstream) ?? ways.socketTo(upstream),
    upgrades: [
      { prefix: TUNNEL_PATH, upgrade: tunnels.upgrade },
      ...FOREIGN_PATHS.map(prefix => ({ prefix, upgrade: tunnels.foreign.upgrade })),
    ],
    routes: [tunnelRoutes({ ...deps, ...tunnels, may }), foreignRoutes({ ...deps, agents: tunnels.foreign })],
    fallback: fallbackRoute<Call>(tunnels.fallback, deps.answerProblem),
  };
}

/** Names of people's tunnels are not to be probed. Of a credential that is limited its owner hears that, as of any upstream. */
const isUnseen = (tunnel: Upstream, asker: Principal): boolean =>
  !may(asker, tunnel) && !may({ ...asker, scope: null }, tunnel);
