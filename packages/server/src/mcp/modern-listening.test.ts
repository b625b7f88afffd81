import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { BackListener } from './back-http.ts';
import type { Ending } from './ending.ts';
import { type Notification, notification, type Params } from './json-rpc.ts';
import { listenAtModern } from './modern-listening.ts';

/** A server that does what it is told to, and a clock that goes when it is told to. */
function ground() {
  const streams: { wanted: Params; said: BackListener; ending: Ending }[] = [];
  const heard: string[] = [];
  let now = 0;
  let waiting: { until: number; go(): void }[] = [];
  const listening = listenAtModern(['tools'], {
    send: (wanted, said, ending) => void streams.push({ wanted, said, ending }),
    stray: ({ method, params }: Notification) => void heard.push(`${method} ${params?.['uri'] ?? ''}`.trim()),
    runtime: {
      monotonic: () => now,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('aborted')));
          waiting.push({ until: now + ms, go: resolve });
        }),
    },
  });
  return {
    listening,
    streams,
    heard,
    async pass(ms: number) {
      now += ms;
      for (const { go } of waiting.filter(({ until }) => until <= now)) go();
      waiting = waiting.filter(({ until }) => until > now);
      await turn();
    },
    acknowledge: (one = streams.at(-1)!) =>
      one.said.message(notification('notifications/subscriptions/acknowledged', {}), undefined),
    breakOff: (one = streams.at(-1)!) => one.said.end(new Error('broken'), 200, ''),
  };
}

test('a stream that breaks off is asked for again, and what may have happened meanwhile is said', async () => {
  const { listening, streams, heard, pass, acknowledge, breakOff } = ground();
  acknowledge();
  const wanted = listening.want('note://one', true);
  acknowledge();
  assert.deepEqual(await wanted, { result: {} });
  assert.equal(streams[0]!.ending.aborted, true);
  await pass(60_000);
  breakOff();
  await pass(999);
  assert.equal(streams.length, 2);
  await pass(1);
  assert.equal(streams.length, 3);
  assert.deepEqual(streams[2]!.wanted, { toolsListChanged: true, resourceSubscriptions: ['note://one'] });
  assert.deepEqual(heard, []);
  acknowledge();
  assert.deepEqual(heard, ['notifications/tools/list_changed', 'notifications/resources/updated note://one']);
});

test('a server that ends every stream at once is asked ever less often', async () => {
  const { streams, pass, acknowledge, breakOff } = ground();
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    acknowledge();
    breakOff();
    let waited = 0;
    for (const before = streams.length; streams.length === before; waited += 500) await pass(500);
    waits.push(waited / 1_000);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test('a server that knows of no such streams is asked once', async () => {
  const { streams, pass, breakOff } = ground();
  breakOff();
  await pass(3_600_000);
  assert.equal(streams.length, 1);
});

test('a wish that is refused is told, and leaves what there was', async () => {
  const { listening, streams, heard, acknowledge } = ground();
  acknowledge();
  const wanted = listening.want('note://one', true);
  streams[1]!.said.message({ jsonrpc: '2.0', id: 2, error: { code: -32601, message: 'no' } }, undefined);
  streams[1]!.said.end(null, 200, '');
  assert.equal((await wanted).error?.code, -32601);
  assert.equal(streams[0]!.ending.aborted, false);
  streams[0]!.said.message(notification('notifications/tools/list_changed'), undefined);
  assert.deepEqual(heard, ['notifications/tools/list_changed']);
});

test('who leaves is waited for no longer', async () => {
  const { listening, streams, pass, acknowledge, breakOff } = ground();
  acknowledge();
  breakOff();
  listening.close();
  await pass(3_600_000);
  assert.equal(streams.length, 1);
});
