import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ending } from './ending.ts';

test('whoever listens hears once that it is over, and whoever left does not', () => {
  const ending = new Ending();
  const heard: string[] = [];
  const [one, two, three] = ['one', 'two', 'three'].map(name => () => void heard.push(name));
  for (const act of [one!, two!, three!]) ending.on(act);
  ending.off(two!);
  assert.equal(ending.aborted, false);
  ending.abort();
  ending.abort();
  assert.deepEqual(heard, ['one', 'three']);
  assert.equal(ending.aborted, true);
});

test('a true signal says the same, made before it is over or after', () => {
  const early = new Ending();
  const { signal } = early;
  assert.equal(signal.aborted, false);
  early.abort();
  assert.equal(signal.aborted, true);
  const late = new Ending();
  late.abort();
  assert.equal(late.signal.aborted, true);
});
