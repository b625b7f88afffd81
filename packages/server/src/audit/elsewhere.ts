import type { Runtime } from '../platform/runtime.ts';
import type { AuditStore } from './audit-store.ts';

/** Events are written behind what they tell of, under the clock of who did it: so far back is looked again, milliseconds. */
const OVERLAP = 60_000;

/** That something was done, and in whose matters. */
export interface Deed {
  /** As the audit names it. */
  readonly action: string;
  /** Whose it is; null where it is nobody's in particular. */
  readonly userId: string | null;
}

/**
 * What other processes did, replicas and the command line, which the bus of this one does not carry: the audit has it all. What this process
 * did itself is among it; to look again at a list that is the same costs little.
 * @returns a look, which gives what no look before has given; `stored`: whether the audit has become longer
 */
export function createElsewhere(deps: {
  store: Pick<AuditStore, 'since' | 'newest'>;
  runtime: Pick<Runtime, 'now'>;
}): () => Promise<{ readonly deeds: readonly Deed[]; readonly stored: boolean }> {
  const { store, runtime } = deps;
  let known = new Set<string>();
  let last: string | null = null;

  return async () => {
    const newest = await store.newest();
    const found = await store.since(runtime.now() - OVERLAP);
    const fresh = found.filter(({ id }) => !known.has(id));
    known = new Set(found.map(({ id }) => id));
    const stored = newest !== last || fresh.length > 0;
    last = newest;
    const deeds = fresh.map(({ action, userId, target, detail }) => ({
      action,
      userId: action.startsWith('user.') ? target : String(detail['user'] ?? userId ?? '') || null,
    }));
    return { deeds, stored };
  };
}
