import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHeartbeat } from './heartbeat.ts';

/** A clock that stands until it is told to go on. */
function stoppedClock() {
  let now = 0;
  let wake: { at: number; resolve: () => void } | null = null;
  return {
    monotonic: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        wake = { at: now + ms, resolve };
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
    async goOn(ms: number) {
      for (const end = now + ms; now < end; ) {
        now = Math.min(end, Math.max(now, wake?.at ?? end));
        if (wake !== null && wake.at <= now) wake.resolve();
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
        if (wake !== null && wake.at <= now) break;
      }
    },
  };
}

function ground() {
  const clock = stoppedClock();
  const stream = { heardAt: 0 };
  const seen = { pings: [] as number[], deadAt: null as number | null };
  const session = {
    destroyed: false,
    ping: () => {
      seen.pings.push(clock.monotonic());
      return true;
    },
  };
  const stop = startHeartbeat({
    session,
    stream,
    clock,
    dead: () => {
      seen.deadAt = clock.monotonic();
    },
  });
  return { clock, stream, seen, stop };
}

test('an end that hears nothing asks after 15 s, once, and gives up at 30 s', async () => {
  const { clock, seen } = ground();
  await clock.goOn(14_999);
  assert.deepEqual(seen, { pings: [], deadAt: null });
  await clock.goOn(1);
  assert.deepEqual(seen, { pings: [15_000], deadAt: null });
  await clock.goOn(14_999);
  assert.equal(seen.deadAt, null);
  await clock.goOn(1);
  assert.deepEqual(seen, { pings: [15_000], deadAt: 30_000 });
});

test('whatever is heard keeps it alive, and 30 s count from the last of it', async () => {
  const { clock, stream, seen } = ground();
  await clock.goOn(20_000);
  stream.heardAt = 20_000;
  await clock.goOn(29_000);
  assert.equal(seen.deadAt, null);
  assert.equal(seen.pings.length, 2);
  await clock.goOn(1_000);
  assert.equal(seen.deadAt, 50_000);
});

test('one that was stopped says nothing more', async () => {
  const { clock, seen, stop } = ground();
  stop();
  await clock.goOn(60_000);
  assert.deepEqual(seen, { pings: [], deadAt: null });
});
