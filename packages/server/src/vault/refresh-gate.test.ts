import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRefreshGate } from './refresh-gate.ts';

/** A clock that jumps to the end of whatever is waited for. */
function ground(pace = { atOnce: 2, perSecond: 10 }) {
  let now = 0;
  const runtime = {
    monotonic: () => now,
    async sleep(milliseconds: number) {
      now = Math.max(now, now + milliseconds);
    },
  };
  return { gate: createRefreshGate(pace, runtime), now: () => now, pass: (ms: number) => (now += ms) };
}

const settled = () => new Promise(resolve => setImmediate(resolve));

test('so many are inside at once, and the others follow in the order they came', async () => {
  const { gate } = ground();
  const order: string[] = [];
  const enter = (name: string) =>
    gate.enter('corp').then(leave => {
      order.push(name);
      return leave;
    });
  const [first, second, third, fourth] = ['a', 'b', 'c', 'd'].map(enter);
  await settled();
  assert.deepEqual(order, ['a', 'b']);
  (await second!)();
  await settled();
  assert.deepEqual(order, ['a', 'b', 'c']);
  (await first!)();
  (await third!)();
  (await fourth!)();
  assert.deepEqual(order, ['a', 'b', 'c', 'd']);
});

test('leaving twice makes room once', async () => {
  const { gate } = ground();
  const leave = await gate.enter('corp');
  await gate.enter('corp');
  leave();
  leave();
  await gate.enter('corp');
  let entered = false;
  void gate.enter('corp').then(() => (entered = true));
  await settled();
  assert.equal(entered, false);
});

test('one provider does not wait for another', async () => {
  const { gate } = ground({ atOnce: 1, perSecond: 10 });
  await gate.enter('corp');
  await gate.enter('github');
});

test('a hundred that come together go at the pace, and one that comes alone goes at once', async () => {
  const { gate, now, pass } = ground();
  for (let n = 0; n < 100; n++) (await gate.enter('corp'))();
  assert.ok(Math.abs(now() - 9_800) < 150, `${now()} ms`);
  pass(60_000);
  const before = now();
  (await gate.enter('corp'))();
  assert.equal(now(), before);
});
