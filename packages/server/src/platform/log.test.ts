import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from './log.ts';

function logged(what: object): Record<string, unknown> {
  const lines: string[] = [];
  createLog({ level: 'info', destination: { write: line => lines.push(line) } }).info(what, 'said');
  return JSON.parse(lines[0]!) as Record<string, unknown>;
}

test('what a sign-in answers with is in no line, however deep it lies', () => {
  for (const key of ['code', 'access_token', 'refresh_token', 'password', 'authorization'])
    for (const holder of [
      { [key]: 'SECRET' },
      { query: { [key]: 'SECRET' } },
      { a: { b: { [key]: 'SECRET' } } },
    ])
      assert.doesNotMatch(JSON.stringify(logged(holder)), /SECRET/);
  assert.doesNotMatch(JSON.stringify(logged({ err: { code: 'ab-SECRET' } })), /SECRET/);
});

test('an error is told by its code', () => {
  const err = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' });
  assert.equal((logged({ err })['err'] as { code: string }).code, 'ECONNREFUSED');
});
