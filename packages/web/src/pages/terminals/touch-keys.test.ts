import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlOf } from './touch-keys.ts';

test('Ctrl makes control characters of what has one, and leaves the rest alone', () => {
  assert.equal(controlOf('c'), '\x03');
  assert.equal(controlOf('D'), '\x04');
  assert.equal(controlOf('['), '\x1b');
  assert.equal(controlOf('?'), '\x7f');
  assert.equal(controlOf('7'), '7');
  assert.equal(controlOf('echo'), 'echo');
  assert.equal(controlOf('\x1b[D'), '\x1b[1;5D');
});
