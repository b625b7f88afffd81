import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { openEventStream } from './event-stream.ts';

/** A response whose reader takes as much as the test lets it. */
class Slow extends EventEmitter {
  taken = '';
  full = false;
  destroyed = false;
  writableEnded = false;
  writeHead() {}
  write(text: string) {
    this.taken += text;
    return !this.full;
  }
  end() {
    this.writableEnded = true;
  }
  destroy() {
    this.destroyed = true;
  }
}
const topicsIn = (text: string) => [...text.matchAll(/"topic":"(\w+)"/g)].map(match => match[1]);

test('a reader that sleeps is told of each topic once when it wakes, however often it changed', () => {
  const res = new Slow();
  const stream = openEventStream(res as unknown as ServerResponse);
  res.full = true;
  stream.changed('keys');
  for (let i = 0; i < 1000; i++) {
    stream.changed('audit');
    stream.changed('keys');
    stream.beat();
  }
  assert.deepEqual(topicsIn(res.taken), ['keys']);
  res.full = false;
  res.emit('drain');
  assert.deepEqual(topicsIn(res.taken), ['keys', 'audit', 'keys']);
});

test('a reader that sleeps through its own end loses its line', () => {
  const res = new Slow();
  const stream = openEventStream(res as unknown as ServerResponse);
  res.full = true;
  stream.end();
  assert.ok(res.writableEnded && res.destroyed);
});
