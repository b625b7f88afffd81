import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

test('a counter asked for twice is one series, and labels are escaped', async () => {
  const metrics = createMetrics();
  metrics.counter('requests_total', 'Requests.', { upstream: 'a"b' }).add();
  metrics.counter('requests_total', 'Requests.', { upstream: 'a"b' }).add(2);
  assert.equal(
    await metrics.expose(),
    '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{upstream="a\\"b"} 3\n',
  );
});

test('a histogram counts each value in every bucket at or above it', async () => {
  const metrics = createMetrics();
  const latency = metrics.histogram('seconds', 'Time.');
  for (const value of [0.001, 0.002, 100]) latency.observe(value);
  const text = await metrics.expose();
  assert.match(text, /seconds_bucket\{le="0\.001"\} 1\n/);
  assert.match(text, /seconds_bucket\{le="60"\} 2\n/);
  assert.match(text, /seconds_bucket\{le="\+Inf"\} 3\nseconds_sum 100\.003\nseconds_count 3\n/);
});

test('values that are looked up are fresh at each exposition', async () => {
  const metrics = createMetrics();
  let count = 0;
  metrics.watch('gauge', 'open_streams', 'Streams.', () => ++count);
  await metrics.expose();
  assert.match(await metrics.expose(), /open_streams 2/);
});
