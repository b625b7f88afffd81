import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeReturnTo } from './return-to.ts';

const origin = 'https://gate.example';

test('a path of ours is where signing in leads back to', () => {
  assert.equal(safeReturnTo('/admin/audit?user=usr_1#x', origin), '/admin/audit?user=usr_1#x');
});

test('every way to name another place leads home instead', () => {
  for (const wanted of [
    null,
    '',
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    'account',
  ]) {
    assert.equal(safeReturnTo(wanted, origin), '/', String(wanted));
  }
});
