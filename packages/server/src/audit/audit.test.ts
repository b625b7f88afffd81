import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createBus } from '../platform/bus.ts';
import { databaseAway } from '../platform/db/away.ts';
import { createLog } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics.ts';
import { commandLine } from '../terms/audit.ts';
import { createAudit } from './audit.ts';
import type { TimedEvent } from './audit-store.ts';

/** A trail with a clock that stands still, and a database that is there or away. */
function trail() {
  const writes: number[] = [];
  const sleepers: (() => void)[] = [];
  const ground = {
    time: 1_000,
    away: false,
    writes,
    wake: () => sleepers.splice(0).forEach(wake => void wake()),
  };
  const audit = createAudit({
    store: {
      async insert(events: readonly TimedEvent[]) {
        if (ground.away) throw databaseAway(new Error('gone'));
        writes.push(events.length);
      },
    },
    bus: createBus(),
    runtime: {
      now: () => ground.time,
      monotonic: () => ground.time,
      random: randomBytes,
      sleep: () => new Promise(resolve => sleepers.push(resolve)),
    },
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
  });
  const call = () => audit.record({ action: 'tool.call', ...commandLine, target: 'echo' });
  return Object.assign(ground, { audit, call });
}

test('the first event is written at once, and those of the next moment together', async () => {
  const { call, writes, wake } = trail();
  call();
  await turn();
  assert.deepEqual(writes, [1]);
  for (let n = 0; n < 150; n++) {
    call();
    await turn();
  }
  assert.deepEqual(writes, [1]);
  wake();
  await turn();
  assert.deepEqual(writes, [1, 150]);
});

test('a reader sees what was recorded before it asked, and waits for no database that is away', async () => {
  const ground = trail();
  const { call, writes, audit } = ground;
  call();
  await turn();
  call();
  await audit.settled();
  assert.deepEqual(writes, [1, 1]);
  ground.away = true;
  call();
  await audit.settled();
  assert.deepEqual(writes, [1, 1]);
  ground.away = false;
  ground.wake();
  await turn();
  assert.deepEqual(writes, [1, 1, 1]);
});
