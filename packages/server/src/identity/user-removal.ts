import type { Bus } from '../platform/bus.ts';
import { AppError } from '../platform/errors.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { Invitations } from './invitations.ts';
import type { Keys } from './keys.ts';
import type { Sessions } from './sessions.ts';
import type { UserStore } from './user-store.ts';

/** How much goes with somebody. */
export interface Consequences {
  readonly sessions: number;
  readonly keys: number;
  readonly grants: number;
  /** Open links that they gave to others. */
  readonly invitations: number;
  /** Shells that run for them. */
  readonly terminals: number;
  /** What their agents bring, connected now or not. */
  readonly tunnels: number;
}

export interface UserRemoval {
  /** @throws AppError `not_found` */
  consequences(userId: string): Promise<Consequences>;
  /** @throws AppError `not_found`, `conflict` for oneself and for the last admin */
  remove(userId: string, by: Actor): Promise<void>;
}

/** Removes people for good, with everything that could act in their name. What the audit says of them stays. */
export function createUserRemoval(deps: {
  users: Pick<UserStore, 'get' | 'setDisabled' | 'isLastAdmin' | 'remove'>;
  sessions: Pick<Sessions, 'list' | 'endAllOf'>;
  keys: Pick<Keys, 'list' | 'revoke'>;
  invitations: Pick<Invitations, 'countBy'>;
  grantsOf(userId: string): Promise<readonly { readonly id: string }[]>;
  terminalsOf(userId: string): Promise<number>;
  tunnelsOf(userId: string): Promise<number>;
  /** Revokes at the provider, as well as that can be done, and forgets. */
  endGrant(grantId: string, by: Actor): Promise<unknown>;
  bus: Pick<Bus, 'publish'>;
  audit: Audit;
}): UserRemoval {
  const { users, sessions, keys, bus, audit } = deps;

  async function belongingsOf(userId: string) {
    const user = await users.get(userId);
    if (user === null) throw new AppError('not_found', 'There is no such user.');
    const [live, theirs, grants, invitations, terminals, tunnels] = await Promise.all([
      sessions.list(userId),
      keys.list(userId),
      deps.grantsOf(userId),
      deps.invitations.countBy(userId),
      deps.terminalsOf(userId),
      deps.tunnelsOf(userId),
    ]);
    const working = theirs.filter(key => key.revokedAt === null);
    const counts = {
      sessions: live.length,
      keys: working.length,
      grants: grants.length,
      invitations,
      terminals,
      tunnels,
    };
    return { user, keys: working, grants, counts };
  }

  return {
    consequences: async userId => (await belongingsOf(userId)).counts,

    async remove(userId, by) {
      const { user, counts, ...theirs } = await belongingsOf(userId);
      if (userId === by.userId) throw new AppError('conflict', 'You cannot remove yourself.');
      if (await users.isLastAdmin(userId))
        throw new AppError('conflict', 'They are the last admin: make somebody else one first.');
      // From here on nothing new begins in their name; and if anything below fails, they are out all the same, and it can be done again.
      await users.setDisabled(userId, true);
      bus.publish({ topic: 'user-changed', userId });
      await sessions.endAllOf(userId, by, 'user-removed');
      for (const key of theirs.keys) await keys.revoke(key.id, by);
      // While the rows are there: what a provider is to revoke is sealed in them.
      await Promise.all(theirs.grants.map(grant => deps.endGrant(grant.id, by)));
      await users.remove(userId);
      bus.publish({ topic: 'user-changed', userId });
      bus.publish({ topic: 'invitations-changed' });
      const { email, name } = user;
      // The one place that still says who the id was.
      audit.record({ action: 'user.remove', ...by, target: userId, detail: { email, name, ...counts } });
    },
  };
}
