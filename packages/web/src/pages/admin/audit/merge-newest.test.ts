import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeNewest } from './merge-newest.ts';

const entries = (...ids: string[]) => ids.map(id => ({ id }));

test('new entries join on top and older ones that were loaded stay', () => {
  const merged = mergeNewest(entries('5', '4', '3'), entries('4', '3', '2', '1'));
  assert.deepEqual(merged, { entries: entries('5', '4', '3', '2', '1'), gap: false });
});

test('a page that does not reach what is on show replaces it, so that no gap is hidden', () => {
  const merged = mergeNewest(entries('9', '8'), entries('4', '3'));
  assert.deepEqual(merged, { entries: entries('9', '8'), gap: true });
});

test('the first page is shown as it is', () => {
  assert.deepEqual(mergeNewest(entries('2', '1'), []), { entries: entries('2', '1'), gap: true });
});
