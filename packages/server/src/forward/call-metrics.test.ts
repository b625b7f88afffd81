import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upstream } from '../../test/fixtures/data-plane.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createCallMetrics } from './call-metrics.ts';

test('calls are counted by upstream, and those of tunnels together: no label holds a user', async () => {
  const metrics = createMetrics();
  const calls = createCallMetrics(metrics);
  for (const id of ['llm', 'ada/wiki', 'bob/files'])
    calls.record({
      principal: null,
      upstream: upstream(id, 'http://127.0.0.1:9'),
      credential: null,
      result: 'ok',
      status: 200,
      method: 'GET',
      requestId: 'r',
      traceId: null,
      address: undefined,
      took: 1,
    });
  const text = await metrics.expose();
  assert.match(text, /sallyport_calls_total\{upstream="llm",result="ok"\} 1\n/);
  assert.match(text, /sallyport_calls_total\{upstream="\{user\}\/\{name\}",result="ok"\} 2\n/);
  assert.doesNotMatch(text, /ada|bob/);
});
