import assert from 'node:assert/strict';
import { test } from 'node:test';
import { titleWords } from './words.ts';

test('a title is one short line, whatever a program made of it', () => {
  assert.equal(titleWords('vim\x07 \u202egnp.exe\n<b>'), 'vim gnp.exe <b>');
  assert.equal(titleWords('x'.repeat(500)).length, 80);
});
