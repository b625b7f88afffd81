import type { Bus, Notice } from '../platform/bus.ts';
import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { DENIED, REVOKED } from './closing.ts';
import type { Held } from './held-terminals.ts';

/** With its jitter 4.4 s, milliseconds; the rest of the 5 s is the database's (rule 7). */
const CHECK = 3_500;

/**
 * Closes terminals whose user, credential or server may no longer have them: at once on news of this process, and within 5 s on what another
 * one did. Of a user who is out nothing is kept open either.
 */
export function createRevocation(deps: {
  held(): readonly Held[];
  upstreams: { find(id: string): Upstream | undefined };
  may(principal: Principal, upstream: Upstream): boolean;
  standing(principal: Principal): Promise<unknown>;
  bus: Pick<Bus, 'subscribe'>;
  runtime: Runtime;
  log: Logger;
}): AsyncDisposable {
  const unsubscribe = deps.bus.subscribe(notice => {
    for (const held of deps.held()) if (concerns(notice, held)) void check(held).catch(soon);
  });
  const checking = every(
    CHECK,
    'looking whether terminals may go on',
    async () => {
      for (const held of deps.held()) await check(held);
    },
    deps,
  );

  async function check({ attachment, upstream, principal, guests }: Held): Promise<void> {
    const now = deps.upstreams.find(upstream.id);
    if (now === undefined || now.kind !== 'terminal') return attachment.end(DENIED);
    // Its user alone is asked about: a terminal outlives the credential of the window that opened it.
    if ((await deps.standing({ ...principal, proof: 'jwt' })) === null) return attachment.end(REVOKED);
    for (const [viewer, guest] of guests) {
      if (!deps.may(guest.principal, now)) viewer.close(DENIED);
      else if (!(await guest.stands())) viewer.close(REVOKED);
    }
    if (guests.size === 0 && !deps.may(principal, now)) attachment.end(DENIED);
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

function concerns(notice: Notice, { upstream, principal, guests }: Held): boolean {
  switch (notice.topic) {
    case 'session-ended':
      return [...guests.values()].some(guest => guest.principal.credentialId === notice.sessionId);
    case 'key-revoked':
      return [...guests.values()].some(guest => guest.principal.credentialId === notice.keyId);
    case 'user-changed':
      return notice.userId === principal.userId;
    case 'upstream-changed':
      return notice.upstreamId === upstream.id;
    default:
      return false;
  }
}
