import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFeed } from './feed.ts';

function openFeed(unseen = false) {
  const drawn: (() => void)[] = [];
  const written: number[] = [];
  const said: (boolean | string)[] = [];
  const feed = createFeed({
    write(bytes, done) {
      if (bytes.length > 0) written.push(bytes[0]!);
      drawn.push(done);
    },
    onFull: full => said.push(full),
    unseen: () => unseen,
  });
  return {
    feed,
    written,
    said,
    drawAll: () => {
      for (let done = drawn.shift(); done !== undefined; done = drawn.shift()) done();
    },
  };
}

const PIECE = 128 * 1024;

test('output is drawn in order, a bounded part at a time; the shell is asked to wait once, and once to go on', () => {
  const { feed, written, said, drawAll } = openFeed();
  for (let n = 0; n < 100; n++) feed.push(new Uint8Array(PIECE).fill(n));
  assert.equal(written.length, 2, 'a quarter of a megabyte is with the terminal, the rest waits');
  assert.deepEqual(said, [true]);
  drawAll();
  assert.deepEqual(
    written,
    Array.from({ length: 100 }, (_, n) => n),
  );
  assert.deepEqual(said, [true, false]);
});

test('a window that nobody looks at does not hold up the shell so soon', () => {
  const { feed, said } = openFeed(true);
  for (let n = 0; n < 100; n++) feed.push(new Uint8Array(PIECE));
  assert.deepEqual(said, []);
  for (let n = 0; n < 200; n++) feed.push(new Uint8Array(PIECE));
  assert.deepEqual(said, [true]);
});

test('what is to happen after some output happens when that is drawn, and not before', () => {
  const { feed, said, drawAll } = openFeed();
  feed.push(new Uint8Array(PIECE));
  feed.after(() => said.push('drawn'));
  assert.deepEqual(said, []);
  drawAll();
  assert.deepEqual(said, ['drawn']);
});
