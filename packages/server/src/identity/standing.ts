import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Keys } from './keys.ts';
import type { Sessions } from './sessions.ts';
import type { UserStore } from './user-store.ts';

/** What a credential that was let in once is worth now. */
export interface Standing {
  readonly admin: boolean;
}

/**
 * Asks the database, past every cache, whether a principal would still be let in: for what stays open after the request that proved
 * it (rule 7). Null: not any more.
 */
export function createStanding(deps: {
  users: Pick<UserStore, 'get'>;
  sessions: Pick<Sessions, 'isLive'>;
  keys: Pick<Keys, 'get'>;
  runtime: Pick<Runtime, 'now'>;
}): (principal: Principal) => Promise<Standing | null> {
  const { users, sessions, keys, runtime } = deps;

  async function credentialStands({ proof, credentialId }: Principal): Promise<boolean> {
    if (proof === 'session') return sessions.isLive(credentialId);
    if (proof !== 'key') return true;
    const key = await keys.get(credentialId);
    return key !== null && (key.expiresAt === null || key.expiresAt > runtime.now());
  }

  return async principal => {
    const [user, stands] = await Promise.all([users.get(principal.userId), credentialStands(principal)]);
    if (user === null || user.disabledAt !== null || !stands) return null;
    // A session has whatever rights its user has; any other credential no more than it was let in with.
    return { admin: user.admin && (principal.proof === 'session' || principal.admin) };
  };
}
