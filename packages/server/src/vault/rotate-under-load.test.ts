import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { caller, HOUR, keyOf, own, vaultGround } from '../../test/fixtures/vault.ts';

const OLD = keyOf(1);
const NEW = keyOf(2);

test('rotation while calls run and grants are refreshed loses nothing and fails nobody', async t => {
  const { signIn, replica, provider, clock, store, db } = await vaultGround(t);
  const people = Array.from({ length: 30 }, (_, n) => `p${n}`);
  for (const who of people) {
    await db
      .insertInto('users')
      .values({
        id: `usr_${who}`,
        email: null,
        name: who,
        groups: '[]',
        claimed_admin: 0,
        local_admin: 0,
        created_at: 0,
        seen_at: null,
        disabled_at: null,
      })
      .execute();
    await signIn(who);
  }
  const { vault } = replica({ keys: [NEW, OLD] });
  // One that still seals with the old key, as while replicas are restarted one by one.
  const older = replica({ keys: [OLD, NEW] });
  let over = false;
  const served = new Map<string, string>();
  const load = people.map(async (who, n) => {
    while (!over) {
      for (const one of n % 2 === 0 ? [vault, older.vault] : [older.vault, vault]) {
        const credential = await one.credentialFor(caller(who), own());
        assert.match(credential!.value, new RegExp(`^Bearer a-${who}-\\d+$`));
        served.set(who, credential!.value);
      }
      await turn();
    }
  });
  const refreshed = async (version: number) => {
    const query = db.selectFrom('grants').select('id').where('version', '<', version);
    while ((await query.execute()).length > 0) await turn();
  };
  for (let version = 2; version <= 5; version++) {
    clock.advance(HOUR);
    await Promise.all([refreshed(version), vault.rotate()]);
  }
  over = true;
  await Promise.all(load);
  assert.equal(served.size, people.length);
  assert.equal(provider.redeemed.length, 4 * people.length);
  assert.deepEqual(provider.refused, []);
  await vault.rotate();
  assert.deepEqual(await store.kids(), [{ kid: NEW.kid, count: people.length }]);
  const later = replica({ keys: [NEW] });
  for (const who of people) assert.ok(await later.vault.credentialFor(caller(who), own()));
});

test('a record that does not open stays as it is, and keeps no other from being resealed', async t => {
  const { signIn, replica, store, db } = await vaultGround(t);
  for (let n = 0; n < 5; n++) await signIn('alice');
  const [first, second] = await db.selectFrom('grants').selectAll().orderBy('id').execute();
  const garbage = [
    { id: first!.id, envelope: second!.envelope },
    { id: second!.id, envelope: 'no envelope' },
  ];
  for (const { id, envelope } of garbage)
    await db.updateTable('grants').set({ envelope }).where('id', '=', id).execute();
  const { vault } = replica({ keys: [NEW, OLD] });
  assert.equal(await vault.rotate(), 3);
  for (const { id, envelope } of garbage) assert.equal((await store.read(id))!.envelope, envelope);
});

test('without the key that sealed them, grants stay closed and stay stored', async t => {
  const { signIn, replica, store, provider } = await vaultGround(t);
  const grantId = await signIn('alice');
  const before = await store.read(grantId);
  const { vault } = replica({ keys: [NEW] });
  await assert.rejects(async () => vault.credentialFor(caller('alice', grantId), own()), {
    code: 'seal_broken',
    message: new RegExp(OLD.kid),
  });
  assert.equal(await vault.rotate(), 0);
  assert.equal((await store.read(grantId))!.envelope, before!.envelope);
  assert.deepEqual([provider.redeemed, provider.refused], [[], []]);
});
