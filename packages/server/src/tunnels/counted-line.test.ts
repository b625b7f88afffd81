import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../platform/errors.ts';
import type { MessageLineEvents } from '../terms/message-line.ts';
import { countedLine } from './counted-line.ts';
import { createTally } from './tally.ts';

function ground() {
  const clock = { at: 0 };
  const tally = createTally({ now: () => clock.at, monotonic: () => clock.at });
  let heard: MessageLineEvents | null = null;
  const line = countedLine(
    events => {
      heard = events;
      return { send() {}, pause() {}, resume() {}, close: () => events.closed(null) };
    },
    { message() {}, closed() {} },
    tally,
  );
  const figures = () => [tally.calls, tally.underWay, tally.latency];
  return { clock, tally, line, events: heard! as MessageLineEvents, figures };
}

test('a request is a call until its answer is here; a notification is none', () => {
  const { clock, tally, line, events, figures } = ground();
  line.send('{"a":1}', 1);
  line.send('{"note":1}');
  assert.deepEqual(figures(), [1, 1, null]);
  clock.at = 40;
  events.message('{"answer":1}');
  line.settled(1, true);
  line.settled(1, true);
  assert.deepEqual(figures(), [1, 0, 40]);
  assert.deepEqual([tally.bytesUp, tally.bytesDown, tally.lastError], [17, 12, null]);
});

test('what nobody waits for says nothing of how long calls take; what the end of the line breaks off is no longer under way', () => {
  const { clock, tally, line, events, figures } = ground();
  line.send('{}', 1);
  line.send('{}', 2);
  line.settled(1, false);
  assert.deepEqual(figures(), [2, 1, null]);
  clock.at = 7;
  events.closed(new AppError('upstream_failed', 'it ended'));
  line.send('{}', 3);
  assert.deepEqual(figures(), [2, 0, null]);
  assert.deepEqual(tally.lastError, { at: 7, said: 'it ended' });
});
