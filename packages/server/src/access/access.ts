import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';

/**
 * May this principal use this upstream? Pure and synchronous: it stands on the warm path of every call.
 *
 * A credential's scope limits everyone, admins too. Then: admins may; `everyone` means all that `identity` let in, which
 * includes the anonymous principal where the operator confirmed it; users are named by id or email address; groups by
 * name. An empty rule therefore admits admins only (deny by default). Disabled users never get here: `identity` refuses
 * them.
 */
export function may(principal: Principal, upstream: Pick<Upstream, 'id' | 'access'>): boolean {
  if (principal.scope !== null && !principal.scope.includes(upstream.id)) return false;
  if (principal.admin) return true;
  const { everyone, users, groups } = upstream.access;
  if (everyone) return true;
  if (principal.proof === 'anonymous') return false;
  if (users.includes(principal.userId)) return true;
  if (principal.email !== null && users.includes(principal.email)) return true;
  return principal.groups.some(group => groups.includes(group));
}
