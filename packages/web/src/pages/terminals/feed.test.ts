import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFeed } from './feed.ts';

test('output is drawn in order, a bounded part at a time, and a window that is behind says so once and again when it is not', () => {
  const drawn: (() => void)[] = [];
  const written: number[] = [];
  const said: string[] = [];
  const feed = createFeed({
    write(bytes, done) {
      written.push(bytes[0]!);
      drawn.push(done);
    },
    onBehind: () => said.push('behind'),
    onCaughtUp: () => said.push('caught up'),
  });
  const piece = 256 * 1024;
  for (let n = 0; n < 120; n++) feed.push(new Uint8Array(piece).fill(n));
  assert.equal(written.length, 2, 'half a megabyte is with the terminal, the rest waits');
  assert.deepEqual(said, ['behind']);
  while (drawn.length > 0) drawn.shift()!();
  assert.deepEqual(
    written,
    Array.from({ length: 120 }, (_, n) => n),
  );
  assert.deepEqual(said, ['behind', 'caught up']);
});
