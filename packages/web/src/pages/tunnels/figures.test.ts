import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, duration } from './figures.ts';

test('sizes and times are said as people say them', () => {
  assert.deepEqual([0, 512, 1536, 20 * 1024, 3 * 1024 ** 3].map(bytes), [
    '0 B',
    '512 B',
    '1.5 KiB',
    '20 KiB',
    '3.0 GiB',
  ]);
  assert.deepEqual([0.42, 12.3, 1_234].map(duration), ['0.4 ms', '12 ms', '1.2 s']);
});
