import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Http2Stream, type StreamHost } from './stream.ts';
import { StreamTable } from './stream-table.ts';

const stream = () => new Http2Stream({} as StreamHost, {} as never, [], true);

test('streams are found by number, however many there are and whichever of them last', () => {
  const table = new StreamTable();
  const open = new Map<number, Http2Stream>();
  for (let n = 0; n < 5_000; n++) {
    const one = stream();
    table.open(one);
    assert.equal(one.id % 2, 1);
    assert.ok(!open.has(one.id));
    open.set(one.id, one);
    // One in twenty lasts.
    if (n % 20 !== 0 || open.size > 200) {
      table.close(one);
      open.delete(one.id);
      assert.equal(table.find(one.id), null);
    }
    assert.equal(table.size, open.size);
  }
  for (const [id, one] of open) assert.equal(table.find(id), one);
  assert.deepEqual([table.isIdle(2), table.isIdle(0), table.isIdle(1)], [true, true, false]);
  assert.deepEqual(new Set(table.all()), new Set(open.values()));
});

test('where numbers end, no more are given, and none is too high', () => {
  const table = new StreamTable(2 ** 31 - 9_001);
  let last = 0;
  while (!table.exhausted) {
    const one = stream();
    table.open(one);
    last = one.id;
    if (last % 14 !== 1 || table.size > 200) table.close(one);
    assert.ok(last < 2 ** 31);
  }
});
