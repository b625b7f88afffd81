import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginning, textOf } from './message-text.ts';

test('what is too long to be read is cut short, and says how long it is', () => {
  assert.equal(textOf({ a: [1, 'b'] }), '{\n  "a": [\n    1,\n    "b"\n  ]\n}');
  assert.match(textOf({ data: 'A'.repeat(5_000) }), /"A{200}… \(5000 characters\)"/);
  assert.match(
    textOf(Array.from({ length: 100_000 }, (_, n) => n)),
    /characters in all; this is the beginning\)$/,
  );
  const long = beginning('x'.repeat(16 * 1024 * 1024));
  assert.ok(long.length < 201_000 && long.endsWith('(16777216 characters in all; this is the beginning)'));
  assert.equal(beginning('short'), 'short');
});
