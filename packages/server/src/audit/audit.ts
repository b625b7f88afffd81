import type { Bus } from '../platform/bus.ts';
import { newTimedId } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Metrics } from '../platform/metrics.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import { type AuditStore, MOST_AT_ONCE, type TimedEvent } from './audit-store.ts';

/** How many events may wait for a database that is away before the oldest are dropped (and the log says so). */
const MAX_WAITING = 10_000;
/** Between the beginnings of two writes, milliseconds: each one waits for the disk, and tool calls come by the thousand. */
const PACE = 100;
/** Between two tries at a database that is away, milliseconds. */
const MIN_PAUSE = 250;
const MAX_PAUSE = 5_000;

export interface AuditTrail extends Audit, AsyncDisposable {
  /** Resolves when everything recorded so far is stored; while the database is away that is when it is back. */
  flush(): Promise<void>;
  /** Resolves when everything recorded so far is stored, or the database would not take it: what a reader waits for. */
  settled(): Promise<void>;
}

/**
 * Collects events and writes them in batches, behind the requests that caused them. Those that find the database away wait for it.
 * @param deps.bus told when they can be read
 */
export function createAudit(deps: {
  store: Pick<AuditStore, 'insert'>;
  bus: Pick<Bus, 'publish'>;
  runtime: Runtime;
  metrics: Metrics;
  log: Logger;
}): AuditTrail {
  const { store, bus, metrics, runtime, log } = deps;
  const waiting: TimedEvent[] = [];
  const counters = new Map<string, Counter>();
  let writing: Promise<void> | null = null;
  let lastBegun = Number.NEGATIVE_INFINITY;
  let pacing = false;
  let refused = Promise.withResolvers<void>();

  const over = new AbortController();

  function count(action: string): void {
    let counter = counters.get(action);
    if (counter === undefined) {
      counter = metrics.counter('sallyport_audit_events_total', 'Events of the audit by action.', { action });
      counters.set(action, counter);
    }
    counter.add();
  }

  async function write(): Promise<void> {
    await Promise.resolve();
    lastBegun = runtime.monotonic();
    for (let pause = MIN_PAUSE; waiting.length > 0; ) {
      const batch = waiting.splice(0, MOST_AT_ONCE);
      try {
        await insert(batch);
        pause = MIN_PAUSE;
        bus.publish({ topic: 'audit-stored' });
      } catch (error) {
        waiting.unshift(...batch);
        refused.resolve();
        refused = Promise.withResolvers();
        log.warn({ err: error, waiting: waiting.length }, 'audit events wait for the database');
        if (over.signal.aborted) return;
        await runtime.sleep(pause, over.signal).catch(() => {});
        pause = Math.min(2 * pause, MAX_PAUSE);
      }
    }
  }

  /** @throws while the database is away. An event that it will never take is not to hold up those behind it. */
  async function insert(batch: readonly TimedEvent[]): Promise<void> {
    try {
      await store.insert(batch);
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (batch.length > 1) for (const event of batch) await insert([event]);
      else log.error({ err: error, action: batch[0]!.action }, 'an audit event cannot be stored and is lost');
    }
  }

  function flush(): Promise<void> {
    writing ??= write().finally(() => {
      writing = null;
    });
    return writing;
  }

  /** At once where nothing was written lately, else with what comes until then. */
  async function writeSoon(): Promise<void> {
    const pause = lastBegun + PACE - runtime.monotonic();
    if (pause > 0) {
      pacing = true;
      await runtime.sleep(pause, over.signal).catch(() => {});
      pacing = false;
    }
    if (waiting.length > 0) await flush();
  }

  return {
    record(event) {
      count(event.action);
      if (waiting.length >= MAX_WAITING) {
        waiting.shift();
        log.error({ action: event.action }, 'the database was away too long: the oldest audit event is lost');
      }
      const at = runtime.now();
      waiting.push({ ...event, id: newTimedId(runtime, 'evt', at), at });
      if (writing === null && !pacing) void writeSoon();
    },
    flush,
    settled: () => Promise.race([flush(), refused.promise]),
    /** One more try, without the patience of a gateway that goes on. */
    async [Symbol.asyncDispose]() {
      over.abort();
      await flush();
      if (waiting.length > 0)
        log.error({ lost: waiting.length }, 'the database is away: audit events are lost');
    },
  };
}
