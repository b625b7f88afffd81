import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSampler, SAMPLERS } from './sampler.ts';
import { readTraceparent, writeTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('a traceparent is read and written again, with its flag', () => {
  for (const flags of ['00', '01']) {
    const text = `00-${TRACE}-${SPAN}-${flags}`;
    const parent = readTraceparent(text)!;
    assert.deepEqual(parent, { traceId: TRACE, spanId: SPAN, sampled: flags === '01' });
    assert.equal(writeTraceparent(parent), text);
  }
});

test('flags that this version does not know say nothing, and a later version may say more', () => {
  assert.equal(readTraceparent(`00-${TRACE}-${SPAN}-fe`)!.sampled, false);
  assert.equal(readTraceparent(`00-${TRACE}-${SPAN}-ff`)!.sampled, true);
  assert.equal(readTraceparent(`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`)!.traceId, TRACE);
});

test('what the specification calls invalid begins a new trace', () => {
  for (const value of [
    undefined,
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    [`00-${TRACE}-${SPAN}-01`],
  ])
    assert.equal(readTraceparent(value), null, String(value));
});

test('samplers do what their names say', () => {
  const parent = (sampled: boolean) => ({ traceId: TRACE, spanId: SPAN, sampled });
  const said = Object.fromEntries(
    SAMPLERS.map(name => {
      const sampler = createSampler(name, 0);
      return [name, [null, parent(true), parent(false)].map(one => sampler(TRACE, one))];
    }),
  );
  assert.deepEqual(said, {
    always_on: [true, true, true],
    always_off: [false, false, false],
    traceidratio: [false, false, false],
    parentbased_always_on: [true, true, false],
    parentbased_always_off: [false, true, false],
    parentbased_traceidratio: [false, true, false],
  });
});

test('a ratio takes its share of random traces, and the same ones each time', () => {
  const sampler = createSampler('traceidratio', 0.25);
  const id = (low: number) =>
    `${'a'.repeat(19)}${Math.floor(low * 16 ** 13)
      .toString(16)
      .padStart(13, '0')}`;
  assert.deepEqual(
    [0, 0.2499, 0.2501, 0.999].map(low => sampler(id(low), null)),
    [true, true, false, false],
  );
  assert.equal(createSampler('traceidratio', 1)('f'.repeat(32), null), true);
});
