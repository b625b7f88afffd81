import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Grant, GrantStore } from './grant-store.ts';
import { dueAt } from './refresh-due.ts';

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

  const running = (async () => {
    while (!over.signal.aborted) {
      // Replicas start together and must not sweep together.
      await runtime.sleep(EVERY * (0.75 + (runtime.random(1)[0]! / 255) * 0.5), over.signal).catch(() => {});
      if (over.signal.aborted) return;
      await once().catch((error: unknown) =>
        log.warn({ err: error }, 'the sweep of due grants failed; it is tried again'),
      );
    }
  })();

  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await running;
    },
  };
}
