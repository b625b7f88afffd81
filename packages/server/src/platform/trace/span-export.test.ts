import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { createSpanExport } from './span-export.ts';
import type { Span } from './tracer.ts';

const span = (name: string): Span => ({
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentId: null,
  name,
  kind: 'server',
  start: 0,
  end: 1,
  attributes: {},
  failed: false,
});

/** A collector that answers as it is told, and a clock that the test moves. */
function ground(answer: () => Response | Promise<Response> = () => new Response('{}')) {
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const runtime = {
    time: 0,
    now: () => runtime.time,
    monotonic: () => runtime.time,
    random: randomBytes,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleepers.add({ at: runtime.time + ms, wake: resolve });
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const posted: string[] = [];
  const collector = { answer };
  const lines: string[] = [];
  const metrics = createMetrics();
  const count = (result: string) => metrics.counter('spans', 'Spans.', { result });
  const sender = createSpanExport({
    url: new URL('http://collector.example:4318/v1/traces'),
    headers: { 'x-key': 'canary-of-the-collector' },
    encode: spans => spans.map(({ name }) => name).join(),
    fetch: async (_url, init) => {
      posted.push(String(init.body));
      return collector.answer();
    },
    exported: count('exported'),
    dropped: count('dropped'),
    runtime,
    log: createLog({ level: 'info', destination: { write: line => void lines.push(line) } }),
  });
  const settle = () => new Promise(resolve => setImmediate(resolve));
  async function pass(ms: number) {
    const until = runtime.time + ms;
    for (;;) {
      const [next] = [...sleepers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      sleepers.delete(next);
      runtime.time = Math.max(runtime.time, next.at);
      next.wake();
      await settle();
    }
    runtime.time = until;
    await settle();
  }
  return { sender, posted, collector, lines, metrics, pass, settle };
}

test('spans leave together after some seconds, and at once when they are many', async () => {
  const { sender, posted, pass, settle } = ground();
  sender.take([span('a'), span('b')]);
  await pass(4_999);
  assert.equal(posted.length, 0);
  await pass(1);
  assert.deepEqual(posted, ['a,b']);
  sender.take(Array.from({ length: 600 }, (_, n) => span(String(n))));
  await settle();
  assert.deepEqual(
    posted.slice(1).map((text: string) => text.split(',').length),
    [512, 88],
  );
});

test('a collector that is away is asked ever more rarely; what has no room is dropped, and it is told once', async () => {
  const { sender, posted, collector, lines, metrics, pass } = ground(() => {
    throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  });
  for (let n = 0; n < 60; n++) {
    sender.take(Array.from({ length: 100 }, () => span('x')));
    await pass(5_000);
  }
  assert.ok(posted.length < 15, `asked ${posted.length} times in five minutes`);
  assert.match(await metrics.expose(), /spans\{result="dropped"\} 3952/);
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines.join(), /canary/);
  collector.answer = () => new Response('{}');
  await pass(65_000);
  assert.match(await metrics.expose(), /spans\{result="exported"\} 2048/);
  assert.match(lines.at(-1)!, /takes spans again/);
});

test('spans that a collector refuses are dropped, those that it has no time for are kept as long as it says', async () => {
  const { sender, posted, collector, metrics, pass } = ground(() => new Response('', { status: 400 }));
  sender.take([span('bad')]);
  await pass(5_000);
  assert.match(await metrics.expose(), /spans\{result="dropped"\} 1/);
  collector.answer = () => new Response('', { status: 429, headers: { 'retry-after': '20' } });
  sender.take([span('good')]);
  await pass(5_000);
  collector.answer = () => new Response('{}');
  await pass(15_000);
  assert.deepEqual(posted, ['bad', 'good'], 'not before its time');
  await pass(10_000);
  assert.deepEqual(posted, ['bad', 'good', 'good']);
});

test('a gateway that ends sends what it has, and waits two seconds for a collector that is silent', async () => {
  const { sender, posted } = ground();
  sender.take([span('last')]);
  await sender[Symbol.asyncDispose]();
  assert.deepEqual(posted, ['last']);

  const silent = ground(() => new Promise<Response>(() => {}));
  silent.sender.take([span('last')]);
  let ended = false;
  const ending = silent.sender[Symbol.asyncDispose]().then(() => {
    ended = true;
  });
  await silent.pass(1_999);
  assert.equal(ended, false);
  await silent.pass(1);
  await ending;
});
