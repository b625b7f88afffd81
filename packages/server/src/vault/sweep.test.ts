import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { HOUR, vaultGround } from '../../test/fixtures/vault-ground.ts';
import { createLog } from '../platform/log.ts';
import type { Grant } from './grant.ts';
import { startSweep } from './sweep.ts';

const MINUTE = 60_000;
const log = createLog({ level: 'silent' });
const settled = async () => {
  for (let n = 0; n < 20; n++) await turn();
};

test('grants in use are refreshed when they are due, before anybody asks; unused ones are left alone', async t => {
  const { signIn, store, clock, vault, provider } = await vaultGround(t);
  const unused = await signIn({ refresh_token: 'r-of-nobody', expires_in: 3 * 3600 });
  clock.advance(2 * HOUR);
  const used = await signIn();
  await using _ = startSweep({ store, refreshDue: vault.refreshDue, runtime: clock, log });
  clock.advance(50 * MINUTE);
  await settled();
  assert.deepEqual(provider.redeemed, [], 'neither is due yet');
  clock.advance(9 * MINUTE + 30_000);
  while ((await store.read(used))!.version === 1) await settled();
  assert.deepEqual(provider.redeemed, ['r1']);
  assert.equal((await store.read(unused))!.state, 'idle');
});

test('many grants that are due together are refreshed a few at a time', async t => {
  const { signIn, store, clock } = await vaultGround(t);
  const ids = new Set(await Promise.all(Array.from({ length: 60 }, () => signIn())));
  let at = 0;
  let most = 0;
  const seen = new Set<string>();
  const refreshDue = async ({ id }: Grant) => {
    most = Math.max(most, ++at);
    await turn();
    at -= 1;
    seen.add(id);
  };
  await using _ = startSweep({ store, refreshDue, runtime: clock, log });
  clock.advance(HOUR - MINUTE / 2);
  while (seen.size < ids.size) await turn();
  assert.deepEqual(seen, ids);
  assert.ok(most > 1 && most <= 10);
});
