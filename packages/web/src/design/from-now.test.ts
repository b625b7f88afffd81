import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeFromNow } from './from-now.ts';

const now = Date.parse('2026-11-21T12:00:00Z');
const said = (seconds: number) => timeFromNow(now + seconds * 1000, now);

test('a moment that is past is told in its largest whole unit, never rounded up', () => {
  assert.equal(said(-59), '59 seconds ago');
  assert.equal(said(-119), '1 minute ago');
  assert.equal(said(-86_400), 'yesterday');
  assert.equal(said(-61 * 86_400), '2 months ago');
});

test('what was set a moment ago ends when it was set to', () => {
  assert.equal(said(3600), 'in 1 hour');
  assert.equal(said(3595), 'in 1 hour');
  assert.equal(said(3500), 'in 58 minutes');
  assert.equal(said(7 * 86_400 - 60), 'in 7 days');
  assert.equal(said(90 * 86_400 - 60), 'in 3 months');
  assert.equal(said(59), 'in 59 seconds');
});

test('what is seconds away is now, whichever clock is ahead', () => {
  assert.equal(said(8), 'just now');
  assert.equal(said(-8), 'just now');
});
