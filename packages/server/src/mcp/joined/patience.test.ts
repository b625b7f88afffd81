import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import { createPatience } from './patience.ts';

const who = { userId: 'usr_a' } as Principal;
const slow = { id: 'slow' } as Upstream;

/** A time that tests own. */
function clock() {
  let at = 0;
  const waiting = new Set<{ until: number; wake: () => void }>();
  return {
    now: () => at,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const one = { until: at + ms, wake: resolve };
        waiting.add(one);
        signal?.addEventListener('abort', () => {
          waiting.delete(one);
          reject(signal.reason as Error);
        });
      }),
    async pass(ms: number) {
      at += ms;
      for (const one of [...waiting].filter(({ until }) => until <= at)) {
        waiting.delete(one);
        one.wake();
      }
      await new Promise(setImmediate);
    },
  };
}

test('one that is slow is waited for once, then for a moment, and for longer again when it has answered', async () => {
  const time = clock();
  const recorded: string[] = [];
  const warned: unknown[] = [];
  const patience = createPatience({
    runtime: time,
    failing: { record: ({ result }) => void recorded.push(result) },
    log: { warn: (about: unknown) => void warned.push(about) } as never,
  });
  const silent = (signal: AbortSignal) =>
    new Promise<string>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(new Error('aborted'))),
    );
  /** How long it took to be given up. */
  async function waited(): Promise<number> {
    const from = time.now();
    let over = false;
    const asked = patience.within(who, slow, silent).catch((error: Error) => {
      over = true;
      return error.message;
    });
    while (!over) await time.pass(50);
    assert.match(await asked, /slow did not answer in time/);
    return time.now() - from;
  }
  assert.equal(await waited(), 5_000);
  assert.equal(await waited(), 250);
  assert.deepEqual(recorded, ['upstream_error', 'upstream_error']);
  assert.equal(warned.length, 1, 'the log has it once');

  const answer = Promise.withResolvers<string>();
  const late = patience.within(who, slow, () => answer.promise);
  late.catch(() => {});
  await time.pass(300);
  await assert.rejects(late);
  answer.resolve('here');
  await time.pass(0);
  assert.equal(await waited(), 5_000, 'what came late ended the doubt');
});
