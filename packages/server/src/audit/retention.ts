import type { Runtime } from '../platform/runtime.ts';
import type { AuditStore } from './audit-store.ts';

const BATCH = 1_000;
/** So many batches a turn, with a pause behind each: a table that was never cleared must not hold up the requests, nor a gateway that ends. */
const BATCHES = 50;
const PAUSE = 20;

/**
 * Forgets events that are older than the operator keeps them.
 * @param retention milliseconds; null keeps them for ever
 * @returns how many were forgotten; what is left over goes the next time
 */
export async function purgeAudit(
  retention: number | null,
  deps: { store: Pick<AuditStore, 'purge'>; runtime: Pick<Runtime, 'sleep'> },
): Promise<number> {
  if (retention === null) return 0;
  let gone = 0;
  for (let turn = 0; turn < BATCHES; turn++) {
    const batch = await deps.store.purge(retention, BATCH);
    gone += batch;
    if (batch < BATCH) break;
    await deps.runtime.sleep(PAUSE);
  }
  return gone;
}
