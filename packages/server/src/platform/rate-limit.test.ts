import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppError } from './errors.ts';
import { createRateLimit } from './rate-limit.ts';

test('a burst is let through, the next is told when to come back, and then it may', () => {
  let now = 0;
  const limit = createRateLimit({ burst: 3, per: 30_000 }, () => now);
  for (let n = 0; n < 3; n++) limit.take('a');
  assert.throws(
    () => limit.take('a'),
    (error: AppError) => error.code === 'rate_limited' && error.headers['retry-after'] === '10',
  );
  now += 10_000;
  limit.take('a');
});

test('one key does not spend what another has', () => {
  const limit = createRateLimit({ burst: 1, per: 1_000 }, () => 0);
  limit.take('a');
  limit.take('b');
  assert.throws(() => limit.take('a'), { code: 'rate_limited' });
});

test('tries while the bucket is empty do not push the way back further', () => {
  let now = 0;
  const limit = createRateLimit({ burst: 1, per: 10_000 }, () => now);
  limit.take('a');
  for (let n = 0; n < 5; n++) {
    now += 1_000;
    assert.throws(() => limit.take('a'));
  }
  now += 5_000;
  limit.take('a');
});
