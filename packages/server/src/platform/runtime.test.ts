import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from './runtime.ts';

test('what was drawn is drawn once, and stays as it is', () => {
  const draws = [16, 10, 32, 6, 5_000].flatMap(bytes =>
    Array.from({ length: 300 }, () => {
      const drawn = systemRuntime.random(bytes);
      assert.equal(drawn.length, bytes);
      return { drawn, text: drawn.toString('hex') };
    }),
  );
  assert.equal(new Set(draws.map(({ text }) => text)).size, draws.length);
  for (const { drawn, text } of draws) assert.equal(drawn.toString('hex'), text);
});
