import type { ServedServer } from '@sallyport/protocol/hello.ts';
import { MAX_SERVERS } from '@sallyport/protocol/limits.ts';
import type { RegisteredServer } from '@sallyport/protocol/notice.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge } from '../platform/metrics.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Guest } from './admission.ts';
import type { Peer } from './peer.ts';
import type { Entry, Live, Registry } from './registry.ts';
import { mayBring } from './scope.ts';
import { createTally, type Tally } from './tally.ts';
import type { TunnelStore } from './tunnel-store.ts';

/** How a server is reached behind its connection. */
export type Ways = Pick<Live, 'transport' | 'lines'>;

/** One connection while it lasts. */
export interface Stay {
  readonly entries: readonly Entry[];
  /** Registers a server under its owner's name. @param waysTo how it is then reached */
  register(
    server: ServedServer,
    agent: string,
    waysTo: (tally: Tally, name: string) => Ways,
  ): Promise<RegisteredServer>;
  /** It takes nothing new any more. */
  leave(): void;
}

/** Keeps account of agents' connections: who has them, what each serves, and what the audit tells of it. */
export function createArrivals(deps: {
  connections: Map<Peer, Guest>;
  registry: Registry;
  store: Pick<TunnelStore, 'saw'>;
  handleOf(principal: Principal): Promise<string>;
  urlOf(entry: Entry): string;
  /** Connections that one user may have; as many servers as they could bring are remembered of them. */
  perUser: number;
  open: Gauge;
  audit: Audit;
  runtime: Pick<Runtime, 'now' | 'monotonic'>;
  log: Logger;
}): (peer: Peer, guest: Guest) => Stay {
  const { connections, registry, audit, runtime, log } = deps;
  const mostRemembered = deps.perUser * MAX_SERVERS;

  /** An older connection that serves nothing any more: most often its agent is here again, and nobody is at its other end. */
  function fence(before: Peer): void {
    if (registry.list().some(({ live }) => live?.connection === before)) return;
    void before.bye('replaced', 'a newer connection of an agent serves the same names');
  }

  const rememberedOf = (userId: string): number =>
    registry.list().filter(({ tunnel }) => tunnel.ownerId === userId).length;

  return (peer, guest) => {
    const { principal, address } = guest;
    const actor: Actor = { userId: principal.userId, credentialId: principal.credentialId, address };
    const entries: Entry[] = [];
    const leave = () => {
      for (const entry of entries) registry.leave(entry, peer);
    };
    connections.set(peer, guest);
    guest.leaveDoor();
    deps.open.set(connections.size);
    void peer.ended.then(reason => {
      connections.delete(peer);
      deps.open.set(connections.size);
      leave();
      for (const { upstream } of entries)
        audit.record({ action: 'tunnel.close', ...actor, target: upstream.id, detail: { reason } });
      log.info({ tunnels: entries.map(({ upstream }) => upstream.id), reason }, 'a tunnel was closed');
    });

    return {
      entries,
      leave,
      async register(server, agent, waysTo) {
        const refused = (problem: string) => ({ name: server.name, id: null, url: null, problem });
        const name = `${await deps.handleOf(principal)}/${server.name}`;
        if (!mayBring(principal.scope, server.name))
          return refused(`The key's scope does not let it bring ${name}.`);
        if (registry.find(name) === undefined && rememberedOf(principal.userId) >= mostRemembered)
          return refused(`You have ${mostRemembered} tunnels already; remove those that you need no more.`);
        const entry = registry.put(await deps.store.saw({ ...server, ownerId: principal.userId }));
        const tally = createTally(runtime);
        const about = { connection: peer, server, tally, since: runtime.now(), agent, address };
        const before = peer.over
          ? undefined
          : registry.serve(entry, { ...about, ...waysTo(tally, entry.upstream.id) });
        if (before === undefined) return refused(`A newer connection serves ${name}.`);
        entries.push(entry);
        if (before !== null && before !== peer) fence(before);
        audit.record({ action: 'tunnel.open', ...actor, target: name, detail: { kind: server.kind } });
        log.info({ tunnel: name, address }, 'a tunnel was opened');
        return { name: server.name, id: name, url: deps.urlOf(entry), problem: null };
      },
    };
  };
}
