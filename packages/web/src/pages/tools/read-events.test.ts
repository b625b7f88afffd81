import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents } from './read-events.ts';

async function eventsOf(...chunks: string[]): Promise<string[]> {
  const bytes = chunks.map(chunk => Buffer.from(chunk, 'latin1'));
  return Array.fromAsync(readEvents(ReadableStream.from(bytes) as ReadableStream<Uint8Array>));
}

test('events are read as they come, wherever the network parts them', async () => {
  assert.deepEqual(await eventsOf('id: 1\ndata: {"a":1}\n\n: beat\n\ndata:two\n', 'data: lines\n\n'), [
    '{"a":1}',
    'two\nlines',
  ]);
  assert.deepEqual(await eventsOf('data: a\r', '\n\r', '\ndata: b\r\n\r\n'), ['a', 'b']);
  assert.deepEqual(await eventsOf('data: gr\xc3', '\xbcn\n\n'), ['grün']);
  assert.deepEqual(await eventsOf('data: broken off'), []);
});
