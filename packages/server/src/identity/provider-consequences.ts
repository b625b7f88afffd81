import type { Upstream } from '../terms/upstream.ts';
import type { Sessions } from './sessions.ts';
import type { UserStore } from './user-store.ts';

/** What goes with a provider: counts, and the upstreams whose credential comes from it, by their names. */
export interface Consequences {
  readonly users: number;
  readonly sessions: number;
  readonly grants: number;
  readonly upstreams: string[];
}

export const createConsequences =
  (deps: {
    users: Pick<UserStore, 'countAt'>;
    sessions: Pick<Sessions, 'countAt'>;
    vault: { countAt(providerId: string): Promise<number> };
    upstreams: { list(): readonly Upstream[] };
  }) =>
  async ({ id, issuer }: { readonly id: string; readonly issuer: string }): Promise<Consequences> => {
    const [users, sessions, grants] = await Promise.all([
      deps.users.countAt(issuer),
      deps.sessions.countAt(id),
      deps.vault.countAt(id),
    ]);
    const fed = deps.upstreams
      .list()
      .filter(({ credential }) => credential.use === 'sign-in' && credential.provider === id);
    return { users, sessions, grants, upstreams: fed.map(({ name }) => name) };
  };
