import type { Bus, Notice } from '../platform/bus.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Guest } from './admission.ts';
import type { Peer } from './peer.ts';

/** With its jitter 4.4 s, milliseconds; the rest of the 5 s is the database's (rule 7). */
const CHECK = 3_500;

/**
 * Ends the connections whose credential, or whose user, may no longer have them: at once on news of this process, and within 5 s on what
 * another one did.
 */
export function createRevocation(deps: {
  bus: Pick<Bus, 'subscribe'>;
  connections: ReadonlyMap<Peer, Guest>;
  runtime: Runtime;
  log: Logger;
}): AsyncDisposable {
  const { connections, runtime, log } = deps;

  const unsubscribe = deps.bus.subscribe(notice => {
    for (const [connection, guest] of connections)
      if (concerns(notice, guest.principal)) void check(guest, [connection]).catch(soon);
  });
  const checking = every(CHECK, 'looking whether tunnels may go on', checkAll, { runtime, log });

  async function check(guest: Guest, all: readonly Peer[]): Promise<void> {
    if (await guest.stands()) return;
    for (const connection of all)
      void connection.bye('revoked', 'the credential it was opened with is no longer valid');
  }

  /** Once for each credential: an agent of many connections costs one look. */
  async function checkAll(): Promise<void> {
    const byCredential = new Map<string, { guest: Guest; all: Peer[] }>();
    for (const [connection, guest] of connections) {
      const known = byCredential.get(guest.principal.credentialId);
      if (known === undefined) byCredential.set(guest.principal.credentialId, { guest, all: [connection] });
      else known.all.push(connection);
    }
    for (const { guest, all } of byCredential.values()) await check(guest, all);
  }

  return {
    async [Symbol.asyncDispose]() {
      unsubscribe();
      await checking[Symbol.asyncDispose]();
    },
  };
}

/** While the database is away nobody can be found out; the next turn comes by itself. */
const soon = () => {};

function concerns(notice: Notice, { credentialId, userId }: Principal): boolean {
  switch (notice.topic) {
    case 'session-ended':
      return notice.sessionId === credentialId;
    case 'key-revoked':
      return notice.keyId === credentialId;
    case 'user-changed':
      return notice.userId === userId;
    default:
      return false;
  }
}
