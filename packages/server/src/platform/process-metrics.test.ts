import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createMetrics } from './metrics.ts';
import { watchProcess } from './process-metrics.ts';

test('an event loop that stood still shows it in the next scrape, and no longer in the one after', async t => {
  const metrics = createMetrics();
  const watching = watchProcess(metrics, '1.2.3');
  t.after(() => watching[Symbol.dispose]());
  const longest = async () =>
    Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(await metrics.expose())![1]);
  await delay(50);
  await longest();
  // The first sample after a scrape begins the next interval.
  await delay(50);
  const until = performance.now() + 200;
  while (performance.now() < until);
  await delay(50);
  assert.ok((await longest()) > 0.1);
  await delay(50);
  assert.ok((await longest()) < 0.1);
});
