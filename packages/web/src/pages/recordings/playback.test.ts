import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCast } from './cast.ts';
import { clockWords, createPlayback } from './playback.ts';

const CAST = [
  '{"version":2,"width":80,"height":24,"timestamp":1}',
  '[0.5,"o","one"]',
  '[1,"i","typed"]',
  '[1.5,"o","two"]',
  '[1.5,"r","100x30"]',
  '[60,"o","three"]',
  '[61,"o","cut o',
].join('\n');

function stage() {
  const log: string[] = [];
  return {
    log,
    reset: () => void log.push('reset'),
    resize: (cols: number, rows: number) => void log.push(`${cols}x${rows}`),
    write: (text: string) => void log.push(text),
  };
}

test('a recording plays in order, sizes among its words; a line that was cut off is left out', () => {
  const on = stage();
  const playback = createPlayback(readCast(CAST), on);
  playback.advance(1, { cutPauses: false });
  playback.advance(1, { cutPauses: false });
  assert.deepEqual(on.log, ['reset', '80x24', 'one', 'two', '100x30']);
  playback.advance(1, { cutPauses: false });
  assert.equal(playback.position, 3);
  playback.seek(99);
  assert.ok(playback.over);
  assert.equal(on.log.at(-1), 'three');
});

test('going back plays anew up to that moment, and no further', () => {
  const on = stage();
  const playback = createPlayback(readCast(CAST), on);
  playback.seek(60);
  on.log.length = 0;
  playback.seek(1);
  assert.deepEqual(on.log, ['reset', '80x24', 'one']);
  assert.equal(playback.position, 1);
});

test('a long pause is cut to two seconds when that is asked for', () => {
  const playback = createPlayback(readCast(CAST), stage());
  playback.seek(1.5);
  playback.advance(0.1, { cutPauses: true });
  assert.equal(playback.position, 58);
});

test('a size beyond reason, and a file that is no recording, do no harm', () => {
  const on = stage();
  createPlayback(
    readCast('{"version":2,"width":99999999,"height":-3}\n[0,"r","9999999x1"]\n[0,"o","x"]'),
    on,
  ).seek(0);
  assert.deepEqual(on.log, ['reset', '1000x24', 'x']);
  assert.throws(() => readCast('<html>'), /no recording/);
});

test('a time is said as on a clock', () => {
  assert.deepEqual([0, 75.9, 3601].map(clockWords), ['0:00', '1:15', '1:00:01']);
});
