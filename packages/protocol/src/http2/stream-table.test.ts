import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientStream } from './client-stream.ts';
import type { StreamHost } from './stream.ts';
import { StreamTable } from './stream-table.ts';

function stream(id: number): ClientStream {
  const one = new ClientStream({} as StreamHost, {} as never, [], false);
  one.id = id;
  return one;
}

test('streams are found by number, however many there are and whichever of them last', () => {
  const table = new StreamTable<ClientStream>();
  const open = new Map<number, ClientStream>();
  for (let id = 1; id < 10_000; id += 2) {
    const one = stream(id);
    table.add(one);
    open.set(id, one);
    // One in twenty lasts.
    if (id % 40 !== 1 || open.size > 200) {
      table.close(one);
      open.delete(id);
      assert.equal(table.find(id), null);
    }
    assert.equal(table.size, open.size);
  }
  for (const [id, one] of open) assert.equal(table.find(id), one);
  assert.deepEqual(new Set(table.all()), new Set(open.values()));
});

test('numbers that were chosen to meet are told apart', () => {
  const table = new StreamTable<ClientStream>();
  const all = Array.from({ length: 256 }, (_, n) => stream(1 + n * 65_536));
  for (const one of all) table.add(one);
  for (const one of all) assert.equal(table.find(one.id), one);
  for (const one of all.toReversed()) {
    table.close(one);
    assert.equal(table.find(one.id), null);
    // Twice is once.
    table.close(one);
  }
  assert.equal(table.size, 0);
});
