import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../platform/crypto.ts';
import { systemRuntime } from '../platform/runtime.ts';
import { dueAt, lifetimeOf, usableUntil } from './lifetime.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const YEAR = 365 * 24 * HOUR;

/** What a token born at 0 has. The id `''` has no share of its own: it is due as early as can be. */
const life = (expiresAt: number, id = '') => ({ id, obtainedAt: 0, expiresAt });
const ids = Array.from({ length: 500 }, () => newId(systemRuntime, 'grt'));

test('a token lives as long as the provider says', () => {
  assert.equal(lifetimeOf(300, true), 300_000);
  assert.equal(lifetimeOf(0.0015, true), 1);
});

test('a token whose end is unsaid, or nonsense, is renewed hourly where it can be, and else used until refused', () => {
  for (const unsaid of [undefined, 0, -1, Number.NaN]) {
    assert.equal(lifetimeOf(unsaid, true), HOUR);
    assert.equal(lifetimeOf(unsaid, false), 10 * YEAR);
  }
});

test('no life is longer than a time that can be stored', () => {
  for (const long of [1e12, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
    assert.equal(lifetimeOf(long, true), 10 * YEAR);
  }
});

test('a token is not sent in its last ten seconds, or in the last tenth of a short life', () => {
  assert.equal(usableUntil(life(HOUR)), HOUR - 10_000);
  assert.equal(usableUntil(life(10_000)), 9_000);
  assert.equal(usableUntil(life(0)), 0);
});

test('a token that expired before it came is of no use at any time since', () => {
  assert.ok(usableUntil({ obtainedAt: 1_000, expiresAt: 500 }) <= 500);
});

test('a grant is due at four fifths of its life, or five minutes before its end where that is later', () => {
  assert.equal(dueAt(life(10 * MINUTE)), 8 * MINUTE);
  assert.equal(dueAt(life(25 * MINUTE)), 20 * MINUTE);
  assert.equal(dueAt(life(HOUR)), 55 * MINUTE);
});

test('grants born together are due apart, each within the first fifth of what is left', () => {
  const dues = ids.map(id => dueAt(life(HOUR, id)));
  for (const due of dues) assert.ok(due >= 55 * MINUTE && due < 56 * MINUTE);
  assert.ok(new Set(dues).size > ids.length / 2);
  assert.ok(Math.max(...dues) - Math.min(...dues) > 40_000);
});

test('a grant is due while its token may still be sent, however short its life', () => {
  for (const long of [100, 1_000, 10_000, 50_000, MINUTE, 10 * MINUTE, HOUR, 24 * HOUR]) {
    for (const id of ids) assert.ok(dueAt(life(long, id)) < usableUntil(life(long, id)), `${long} ms, ${id}`);
  }
});
