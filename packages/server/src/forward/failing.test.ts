import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Upstream } from '../terms/upstream.ts';
import { createFailing } from './failing.ts';
import type { Outcome } from './outcome.ts';

function ground() {
  const clock = { time: 1_000_000, now: () => clock.time };
  const changes: string[] = [];
  const failing = createFailing({ runtime: clock, changed: id => void changes.push(id) });
  const upstream = { id: 'corp-llm' } as Upstream;
  const call = (result: Outcome['result'], status = 502) => failing.record({ upstream, result, status });
  return { clock, changes, failing, call };
}

test('three failures in a row are failing, since the first of them', () => {
  const { clock, failing, call, changes } = ground();
  call('upstream_error');
  clock.time += 1000;
  call('broken');
  assert.equal(failing.of('corp-llm'), null);
  clock.time += 1000;
  call('upstream_error', 504);
  assert.equal(failing.of('corp-llm')?.since, 1_000_000);
  assert.match(failing.of('corp-llm')!.said, /in time/);
  assert.equal(failing.of('other'), null);
  assert.deepEqual(changes, ['corp-llm']);
});

test('one good call ends it, and a refusal or a client that left says nothing either way', () => {
  const { failing, call, changes } = ground();
  for (let i = 0; i < 3; i++) call('upstream_error');
  call('refused', 403);
  call('abandoned', 0);
  assert.notEqual(failing.of('corp-llm'), null);
  call('client_error', 404);
  assert.equal(failing.of('corp-llm'), null);
  call('upstream_error');
  assert.equal(failing.of('corp-llm'), null);
  assert.deepEqual(changes, ['corp-llm', 'corp-llm']);
});

test('what nobody has asked for long is no longer said to fail, and a later failure begins anew', () => {
  const { clock, failing, call } = ground();
  for (let i = 0; i < 3; i++) call('upstream_error');
  clock.time += 15 * 60_000;
  assert.equal(failing.of('corp-llm'), null);
  call('upstream_error');
  assert.equal(failing.of('corp-llm'), null);
});
