import type { Bus } from '../platform/bus.ts';
import { newId } from '../platform/crypto.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { AuditStore, TimedEvent } from './audit-store.ts';

/** How many events may wait for a database that is away before the oldest are dropped (and the log says so). */
const MAX_WAITING = 10_000;
const BATCH = 200;

export interface AuditTrail extends Audit, AsyncDisposable {
  /** Resolves when everything recorded so far is stored or was given up. */
  flush(): Promise<void>;
}

/**
 * Collects events and writes them in batches, behind the requests that caused them.
 * @param deps.bus told when they can be read
 */
export function createAudit(deps: {
  store: Pick<AuditStore, 'insert'>;
  bus: Pick<Bus, 'publish'>;
  runtime: Runtime;
  log: Logger;
}): AuditTrail {
  const { store, bus, runtime, log } = deps;
  const waiting: TimedEvent[] = [];
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.splice(0, BATCH);
      try {
        await store.insert(batch);
        bus.publish({ topic: 'audit-stored' });
      } catch (error) {
        waiting.unshift(...batch);
        log.warn({ err: error, waiting: waiting.length }, 'audit events wait for the database');
        return;
      }
    }
  }

  function flush(): Promise<void> {
    writing ??= write().finally(() => {
      writing = null;
    });
    return writing;
  }

  return {
    record(event) {
      if (waiting.length >= MAX_WAITING) {
        waiting.shift();
        log.error({ action: event.action }, 'the database was away too long: the oldest audit event is lost');
      }
      waiting.push({ ...event, id: newId(runtime, 'evt'), at: runtime.now() });
      void flush();
    },
    flush,
    [Symbol.asyncDispose]: flush,
  };
}
