import { every } from '../platform/every.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import { dueAt } from './lifetime.ts';

const EVERY = 30_000;
/** Only grants used within this are kept fresh; the others are refreshed when somebody comes. */
const USED_WITHIN = 60 * 60_000;
const LIMIT = 500;
/** A provider is asked for so many at once: thousands of grants born together must not come together. */
const AT_ONCE = 10;

/** Refreshes grants in use before anybody has to wait for it. Ends when disposed. */
export function startSweep(deps: {
  store: Pick<GrantStore, 'due'>;
  refreshDue(grant: Grant): Promise<void>;
  runtime: Runtime;
  log: Logger;
}): AsyncDisposable {
  const { store, runtime, log } = deps;
  const over = new AbortController();

  async function once(): Promise<void> {
    const found = await store.due({ within: 10 * 60_000, usedWithin: USED_WITHIN, limit: LIMIT });
    const due = found.filter(grant => dueAt(grant) <= grant.now);
    const work = due[Symbol.iterator]();
    const workers = Array.from({ length: AT_ONCE }, async () => {
      for (const grant of work) {
        if (over.signal.aborted) return;
        await deps.refreshDue(grant);
      }
    });
    await Promise.all(workers);
  }

  const turns = every(EVERY, 'the sweep of due grants', once, { runtime, log });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await turns[Symbol.asyncDispose]();
    },
  };
}
