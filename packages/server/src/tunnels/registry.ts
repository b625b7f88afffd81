import type { ServedServer } from '@sallyport/protocol/hello.ts';
import type { Bus } from '../platform/bus.ts';
import type { LineWanted, MessageLineEvents, PlainLine } from '../terms/message-line.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { notConnected, notOverHttp } from './agent-failure.ts';
import type { Peer } from './peer.ts';
import type { Tally } from './tally.ts';
import type { Tunnel, TunnelStore } from './tunnel-store.ts';
import { upstreamOf } from './tunnel-upstream.ts';

/** A tunnel that an agent serves now. */
export interface Live {
  readonly connection: Peer;
  readonly server: ServedServer;
  readonly tally: Tally;
  /** Epoch milliseconds. */
  readonly since: number;
  /** What the agent calls itself, with its version. */
  readonly agent: string;
  readonly address: string;
  /** Over HTTP; null where it is spoken with in messages only. */
  readonly transport: Transport | null;
  /** In messages; null where it is reached over HTTP. */
  readonly lines: ((wanted: LineWanted, events: MessageLineEvents) => PlainLine) | null;
}

/** A tunnel, whether or not it is served at present. */
export interface Entry {
  tunnel: Tunnel;
  upstream: Upstream;
  /** What is called when it is called. */
  readonly transport: Transport;
  live: Live | null;
  /** Epoch milliseconds; null when no agent has left it yet. */
  leftAt: number | null;
  /** Of the connection before, while nobody serves it. */
  lastTally: Tally | null;
}

export interface Registry {
  /** By `{user}/{name}`, or the plain name an admin gave. Synchronous: stands on the warm path of every call. */
  find(upstreamId: string): Entry | undefined;
  byTunnelId(id: string): Entry | undefined;
  list(): readonly Entry[];
  /** Reads what is remembered, changed here or by another process. */
  load(): Promise<void>;
  /** A tunnel as it is in the database now. */
  put(tunnel: Tunnel): Entry;
  drop(id: string): void;
  /**
   * From now on this connection serves it. A newer connection takes it from an older one, never the other way round.
   * @returns the connection that served it before; undefined when a newer one has it already
   */
  serve(entry: Entry, live: Live): Peer | null | undefined;
  /** This connection serves it no more, unless another one has taken it. */
  leave(entry: Entry, connection: Peer): void;
}

/** Which tunnels there are, and who serves each. What is remembered is the database's; who serves is this process's. */
export function createRegistry(deps: {
  store: Pick<TunnelStore, 'list'>;
  bus: Pick<Bus, 'publish'>;
  now(): number;
}): Registry {
  const { bus } = deps;
  const byId = new Map<string, Entry>();
  const byName = new Map<string, Entry>();
  const changed = (entry: Entry) => bus.publish({ topic: 'upstream-changed', upstreamId: entry.upstream.id });

  function named(entry: Entry): void {
    byName.set(entry.upstream.id, entry);
    if (entry.tunnel.alias !== null) byName.set(entry.tunnel.alias, entry);
  }

  function put(tunnel: Tunnel): Entry {
    const known = byId.get(tunnel.id);
    if (known === undefined) {
      const entry: Entry = {
        tunnel,
        upstream: upstreamOf(tunnel),
        live: null,
        leftAt: null,
        lastTally: null,
        transport: { send: (request, receiver) => send(entry, request, receiver) },
      };
      byId.set(tunnel.id, entry);
      named(entry);
      changed(entry);
      return entry;
    }
    if (sameButSeen(known.tunnel, tunnel)) return known;
    if (known.tunnel.alias !== null) byName.delete(known.tunnel.alias);
    known.tunnel = tunnel;
    known.upstream = upstreamOf(tunnel);
    named(known);
    changed(known);
    return known;
  }

  function drop(id: string): void {
    const entry = byId.get(id);
    if (entry === undefined) return;
    byId.delete(id);
    byName.delete(entry.upstream.id);
    if (entry.tunnel.alias !== null) byName.delete(entry.tunnel.alias);
    changed(entry);
  }

  return {
    find: upstreamId => byName.get(upstreamId),
    byTunnelId: id => byId.get(id),
    list: () => [...byId.values()],
    put,
    drop,

    async load() {
      const stored = await deps.store.list();
      const ids = new Set(stored.map(({ id }) => id));
      for (const tunnel of stored) put(tunnel);
      // One that is served was stored a moment ago, after this list was read.
      for (const [id, entry] of byId) if (!ids.has(id) && entry.live === null) drop(id);
    },

    serve(entry, live) {
      const before = entry.live?.connection ?? null;
      if (before !== null && before.epoch > live.connection.epoch) return undefined;
      entry.live = live;
      changed(entry);
      return before;
    },

    leave(entry, connection) {
      if (entry.live?.connection !== connection) return;
      entry.lastTally = entry.live.tally;
      entry.live = null;
      entry.leftAt = deps.now();
      changed(entry);
    },
  };
}

function send(entry: Entry, ...[request, receiver]: Parameters<Transport['send']>): void {
  const { live, upstream } = entry;
  const refusal = live === null || live.connection.over ? notConnected(upstream.id) : live.connection.full;
  if (refusal !== null) receiver.error(refusal);
  else if (live!.transport === null) receiver.error(notOverHttp(upstream.id));
  else live!.transport.send(request, receiver);
}

const sameButSeen = (a: Tunnel, b: Tunnel): boolean =>
  JSON.stringify({ ...a, seenAt: 0 }) === JSON.stringify({ ...b, seenAt: 0 });
