import type { Principal } from '../terms/principal.ts';
import type { TunnelStore } from './tunnel-store.ts';

const LONGEST = 40;
/** Of one wish; past it the name is made unlike any. */
const TRIES = 50;
/** Paths of the gateway's own behind `/u` and `/mcp`. */
const RESERVED = new Set(['whoami', 'admin', 'root', 'sse', 'messages', 'api', 'auth', 'tunnel', 'tunnels']);

/** What a person would be called by in a path: the part of their address before the @, else their name. */
export function wishOf({ email, name }: Pick<Principal, 'email' | 'name'>): string {
  const plain = (email?.split('@')[0] ?? name ?? '')
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, LONGEST);
  return plain === '' ? 'user' : plain;
}

/**
 * The first half of the names of somebody's tunnels. Given at the first tunnel and kept; a name that is somebody else's, or that an upstream
 * has, gets a number.
 * @param deps.taken whether an upstream is called so: `/u/{it}/…` would be that one's
 */
export function createHandles(deps: {
  store: Pick<TunnelStore, 'handleOf' | 'takeHandle'>;
  taken(handle: string): boolean;
}): (principal: Principal) => Promise<string> {
  return async principal => {
    const known = await deps.store.handleOf(principal.userId);
    if (known !== null) return known;
    const wish = wishOf(principal);
    for (let n = 1; n <= TRIES; n++) {
      const handle = n === 1 ? wish : `${wish}-${n}`;
      if (RESERVED.has(handle) || deps.taken(handle)) continue;
      const given = await deps.store.takeHandle(principal.userId, handle);
      if (given !== null) return given;
    }
    const last = `${wish}-${principal.userId.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase()}`;
    return (await deps.store.takeHandle(principal.userId, last)) ?? principal.userId;
  };
}
