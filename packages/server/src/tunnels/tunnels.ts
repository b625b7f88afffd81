import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import type { Isolation, ServedServer } from '@sallyport/protocol/hello.ts';
import type { RegisteredServer } from '@sallyport/protocol/notice.ts';
import type { Bus } from '../platform/bus.ts';
import type { AddressOf } from '../platform/client-address.ts';
import { AppError } from '../platform/errors.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge } from '../platform/metrics.ts';
import { createRateLimit, type Rate } from '../platform/rate-limit.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { LineWanted, MessageLine, MessageLineEvents } from '../terms/message-line.ts';
import type { Principal } from '../terms/principal.ts';
import type { SocketWay } from '../terms/socket-way.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { accept, noCommonVersion, versionIn } from './accept.ts';
import { type Arrival, createAdmission, type Guest } from './admission.ts';
import { notConnected } from './agent-failure.ts';
import { createArrivals, type Ways } from './arrivals.ts';
import { Connection } from './connection.ts';
import { countedLine } from './counted-line.ts';
import { createFallback, type FallbackCall } from './fallback.ts';
import { createForeignAgents, type ForeignAgents } from './foreign/foreign-agents.ts';
import { createHandles } from './handles.ts';
import type { Peer } from './peer.ts';
import { createRegistry, type Entry, type Registry } from './registry.ts';
import { createRevocation } from './revocation.ts';
import { createSharing, type Sharing } from './sharing.ts';
import { StdioLine } from './stdio-line.ts';
import { createTally, type Tally } from './tally.ts';
import { TunnelCall } from './tunnel-call.ts';
import { openTunnelSocket } from './tunnel-socket.ts';
import type { TunnelStore } from './tunnel-store.ts';
import { isTunnel } from './tunnel-upstream.ts';
import { createUseWatch } from './use.ts';

/** What was changed by another process is known here within 5 s: with its jitter 4.4 s, the rest is the database's; milliseconds. */
const LOOK_AGAIN = 3_500;
/** How often those who watch a tunnel's figures are told that they changed, milliseconds. */
const TELL_OF_USE = 1_000;
/** Milliseconds, in the mean. */
const STALLED_LOOK = 30_000;

export interface TunnelsDeps {
  store: TunnelStore;
  identity: { authenticate(request: Arrival['req'], bearer?: string): Principal | Promise<Principal> };
  /** Refuses an ambient credential (a cookie) that another site may have put to use. */
  guard(principal: Principal, request: { method: string; headers: Arrival['req']['headers'] }): void;
  /** What a credential is worth now, by the database; null: nothing. */
  standing(principal: Principal): Promise<unknown>;
  /** Whether an upstream of the configuration, or of an admin, is called so. */
  taken(id: string): boolean;
  /** Whether a token may stand in the query of a foreign agent's upgrade. */
  queryToken: boolean;
  /** Connections that one user may have. */
  perUser: number;
  /** How often their agents may come; null: as often as they like. */
  rate: Rate | null;
  publicUrl: URL;
  addressOf: AddressOf;
  open: Gauge;
  bus: Bus;
  audit: Audit;
  runtime: Runtime;
  log: Logger;
}

export interface Tunnels extends AsyncDisposable {
  readonly registry: Registry;
  readonly sharing: Sharing;
  /** What a client of it is pointed at. */
  urlOf(entry: Entry): string;
  /** Takes an agent's WebSocket. @throws AppError with nothing accepted yet */
  upgrade(arrival: Arrival): Promise<void>;
  /** Agents of other gateways' making. */
  readonly foreign: ForeignAgents;
  /** Takes an agent whose WebSocket is blocked. */
  fallback(call: FallbackCall): Promise<void>;
  /** Takes an agent's byte stream from wherever it comes; its principal was let in. */
  welcome(stream: ByteStream, guest: Guest): Promise<void>;
  find(upstreamId: string): Upstream | undefined;
  list(): readonly Upstream[];
  transportTo(upstream: Upstream): Transport | undefined;
  /** The same, for WebSockets. */
  socketTo(upstream: Upstream): SocketWay | undefined;
  /**
   * Opens the messages of a server that speaks on standard input and output.
   * @throws AppError `upstream_unreachable` while no agent serves it, `unavailable` when its tunnel is full
   */
  openLines(upstream: Upstream, wanted: LineWanted, events: MessageLineEvents): MessageLine;
  /** Whether it is reached by lines, and not over HTTP; who shares its program, and whether a throw-away one can be had. Null: by HTTP, or nobody serves it. */
  linesOf(upstream: Upstream): { readonly isolate: Isolation; readonly probes: boolean } | null;
  /** Why calls to it would fail at present, or null. */
  failing(upstreamId: string): { readonly since: number; readonly said: string } | null;
  /** Begins to look after what the database says. */
  start(): Promise<void>;
}

/** Servers behind NAT, whose agents dial in: each is an upstream like any other, reached another way. */
export function createTunnels(deps: TunnelsDeps): Tunnels {
  const { store, bus, audit, runtime, log, publicUrl } = deps;
  const registry = createRegistry({ store, bus, now: () => runtime.now() });
  const handleOf = createHandles({
    store,
    taken: name => deps.taken(name) || registry.find(name) !== undefined,
  });
  const connections = new Map<Peer, Guest>();
  const admission = createAdmission({
    ...deps,
    connections,
    rate: deps.rate === null ? null : createRateLimit(deps.rate, () => runtime.monotonic()),
  });
  const arrive = createArrivals({ ...deps, connections, registry, handleOf, urlOf });
  const revocation = createRevocation({ bus, connections, runtime, log });
  const watchUse = createUseWatch({ registry, bus });
  const looking = new AsyncDisposableStack();
  let epoch = 0;

  async function welcome(stream: ByteStream, guest: Guest): Promise<void> {
    const connection = new Connection(stream, ++epoch, runtime);
    const stay = arrive(connection, guest);
    connection.onLeaving(stay.leave);
    try {
      // Between its authentication and this line it may have been revoked.
      if (!(await guest.stands()))
        return await connection.bye('revoked', 'The credential is no longer valid.');
      const { servers, agent } = await connection.hello();
      const answers: RegisteredServer[] = [];
      for (const server of servers)
        answers.push(
          await stay.register(server, `${agent.name} ${agent.version}`, (tally, tunnel) =>
            waysOver(connection, { tunnel, server, tally }),
          ),
        );
      if (connection.over) return;
      if (stay.entries.length === 0)
        return await connection.bye('refused', answers.map(({ problem }) => problem).join(' '));
      await connection.notice({ type: 'registered', servers: answers });
    } catch (error) {
      const said = (error as Error).message;
      log.warn({ reason: said, user: guest.principal.userId }, 'an agent could not be welcomed');
      // A database that is away is no fault of the agent's, which comes again.
      const code = error instanceof AppError && error.status >= 500 ? 'stopping' : 'refused';
      await connection.bye(code, `The agent's hello does not hold: ${said}.`);
    }
  }

  async function lookForStalled(): Promise<void> {
    for (const peer of connections.keys()) peer.lookForStalled?.();
  }

  function urlOf({ upstream }: Entry): string {
    const prefix = upstream.kind === 'mcp' ? 'mcp' : upstream.kind === 'terminal' ? 'terminals' : 'u';
    return `${publicUrl.origin}/${prefix}/${upstream.id}`;
  }

  return {
    registry,
    sharing: createSharing({ store, registry, taken: deps.taken, audit }),
    urlOf,
    foreign: createForeignAgents({ ...deps, admission, arrive, nextEpoch: () => ++epoch }),
    fallback: createFallback({
      admission,
      authenticate: async req => deps.identity.authenticate(req),
      welcome,
      runtime,
    }),
    welcome,

    async upgrade(arrival) {
      if (versionIn(arrival.req.headers['sec-websocket-protocol']) === null) throw noCommonVersion();
      const guest = await admission(arrival);
      arrival.socket.once('close', guest.leaveDoor);
      if (arrival.socket.destroyed) return guest.leaveDoor();
      const { req, socket, head } = arrival;
      const stream = accept(req, socket, head, () => runtime.monotonic());
      if (stream !== null) void welcome(stream, guest);
    },

    find: upstreamId => registry.find(upstreamId)?.upstream,
    list: () => registry.list().map(({ upstream }) => upstream),
    // A tunnel is not to be reached in the place of an upstream of its name.
    transportTo: upstream => (isTunnel(upstream) ? registry.find(upstream.id)?.transport : undefined),

    socketTo(upstream) {
      if (!isTunnel(upstream)) return undefined;
      return {
        async open(path, headers, signal) {
          const live = registry.find(upstream.id)?.live ?? null;
          if (live === null || !(live.connection instanceof Connection) || live.connection.over)
            throw notConnected(upstream.id);
          const at = { tunnel: upstream.id, server: live.server.name, path };
          return openTunnelSocket({ connection: live.connection, tally: live.tally, at }, headers, signal);
        },
      };
    },

    openLines(upstream, wanted, events) {
      const live = registry.find(upstream.id)?.live ?? null;
      if (live === null || live.connection.over) throw notConnected(upstream.id);
      if (live.connection.full !== null) throw live.connection.full;
      if (live.lines === null) throw notConnected(upstream.id);
      const { lines, tally } = live;
      // What a throw-away program was asked is nobody's call.
      const counts = wanted.probe === true ? createTally(runtime) : tally;
      return countedLine(heard => lines(wanted, heard), events, counts);
    },

    linesOf(upstream) {
      const live = registry.find(upstream.id)?.live ?? null;
      if (live === null || live.lines === null) return null;
      // A foreign agent has the one program that it has.
      return { isolate: live.server.isolate, probes: live.connection instanceof Connection };
    },

    failing(upstreamId) {
      const entry = registry.find(upstreamId);
      if (entry === undefined || entry.live !== null) return null;
      return { since: entry.leftAt ?? entry.tunnel.seenAt, said: 'Its agent is not connected.' };
    },

    async start() {
      await registry.load();
      looking.use(every(LOOK_AGAIN, 'looking for changed tunnels', registry.load, { runtime, log }));
      looking.use(every(TELL_OF_USE, 'telling which tunnels are used', watchUse, { runtime, log }));
      looking.use(
        every(STALLED_LOOK, 'looking for readers that take nothing', lookForStalled, { runtime, log }),
      );
      looking.use(revocation);
    },

    async [Symbol.asyncDispose]() {
      await looking.disposeAsync();
      await Promise.all(
        [...connections.keys()].map(connection => connection.bye('stopping', 'the gateway is being stopped')),
      );
    },
  };
}

/** How a server of a native agent is reached. */
function waysOver(
  connection: Connection,
  { tunnel, server, tally }: { tunnel: string; server: ServedServer; tally: Tally },
): Ways {
  if (server.kind === 'stdio') {
    const about = { tunnel, server: server.name, connection };
    return { transport: null, lines: (wanted, events) => new StdioLine(about, wanted, events) };
  }
  const send: Transport['send'] = (request, receiver) =>
    new TunnelCall(tunnel, request, receiver, tally).start(connection, server.name);
  return { transport: { send }, lines: null };
}
