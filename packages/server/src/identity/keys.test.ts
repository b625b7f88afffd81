import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { identityGround } from '../../test/fixtures/identity.ts';

const refused = { code: 'unauthenticated', headers: { 'www-authenticate': 'Bearer error="invalid_token"' } };
const plain = { name: 'laptop', admin: false, scope: null, expiresAt: null };

async function withKey(t: TestContext, more: { admin?: boolean; scope?: string[]; expiresAt?: number } = {}) {
  const ground = await identityGround(t);
  const alice = await ground.person('alice', { groups: ['engineering'], admin: more.admin ?? false });
  const made = await ground.keys.create({ ...plain, ...more, userId: alice.id });
  return { ...ground, ...made, alice, show: async (value = made.key) => ground.keys.authenticate(value) };
}

test('a key is its user, and says which key it was', async t => {
  const { show, alice, id, key } = await withKey(t, { scope: ['corp-llm'] });
  assert.match(key, /^sp_[\w-]{43}$/);
  assert.deepEqual(await show(), {
    userId: alice.id,
    email: 'alice@corp.example',
    name: 'alice',
    groups: ['engineering'],
    admin: false,
    proof: 'key',
    credentialId: id,
    grantId: null,
    scope: ['corp-llm'],
  });
});

test('the database holds the hash of a key and nothing of its value', async t => {
  const { db, key } = await withKey(t);
  const rows = JSON.stringify(await db.selectFrom('keys').selectAll().execute());
  assert.ok(!rows.includes(key) && !rows.includes(key.slice(3)));
});

test('a key that was shown a moment ago is answered without a promise', async t => {
  const { keys, show, key } = await withKey(t);
  assert.ok(keys.authenticate(key) instanceof Promise);
  const principal = await show();
  assert.equal(keys.authenticate(key), principal);
});

test('a truncated, lengthened, altered or unknown key is refused', async t => {
  const { show, key } = await withKey(t);
  const other = key.endsWith('A') ? 'B' : 'A';
  for (const value of [
    key.slice(0, -1),
    `${key}A`,
    key.slice(0, -1) + other,
    key.toUpperCase(),
    'sp_',
    `sp_${'A'.repeat(43)}`,
  ]) {
    await assert.rejects(show(value), refused);
  }
});

test('a revoked key is refused at once, cached or not', async t => {
  const { keys, show, id } = await withKey(t);
  await show();
  assert.equal(await keys.revoke(id), true);
  await assert.rejects(show(), refused);
  assert.equal(await keys.revoke(id), false);
});

test('a key that is being looked up while it is revoked is not remembered', async t => {
  const { keys, keyStore, bus, show, id } = await withKey(t);
  const early = show();
  await keyStore.revoke(id);
  bus.publish({ topic: 'key-revoked', keyId: id, userId: 'usr_any' });
  await early.catch(() => {});
  await assert.rejects(show(), refused);
  assert.deepEqual(await keys.list('nobody'), []);
});

test('a revocation in another process is felt within 5 seconds', async t => {
  const { keyStore, runtime, show, id } = await withKey(t);
  await show();
  await keyStore.revoke(id);
  await show();
  runtime.time += 5_000;
  await assert.rejects(show(), refused);
});

test('a key ends at its expiry to the millisecond, even when it was just seen', async t => {
  const { runtime, show } = await withKey(t, { expiresAt: 1_800_000_001_000 });
  await show();
  runtime.time += 999;
  await show();
  runtime.time += 1;
  await assert.rejects(show(), refused);
});

test('a user who is disabled while their key is cached is refused at once', async t => {
  const { show, disable, alice } = await withKey(t);
  await show();
  await disable(alice.id);
  await assert.rejects(show(), refused);
});

test("an admin key is an admin's only as long as its user is one", async t => {
  const { show, bus, person, alice } = await withKey(t, { admin: true });
  assert.equal((await show()).admin, true);
  await person('alice', { admin: false });
  bus.publish({ topic: 'user-changed', userId: alice.id });
  assert.equal((await show()).admin, false);
});

test("a plain key of an admin is no admin's", async t => {
  const { keys, person } = await withKey(t);
  const root = await person('root', { admin: true });
  const { key } = await keys.create({ ...plain, userId: root.id });
  assert.equal((await keys.authenticate(key)).admin, false);
});

test('last use is written at most once a minute', async t => {
  const { keys, runtime, show, alice } = await withKey(t);
  const used = async () => (await keys.list(alice.id))[0]!.usedAt;
  assert.equal(await used(), null);
  await show();
  const first = runtime.time;
  assert.equal(await used(), first);
  runtime.time = first + 59_999;
  await show();
  assert.equal(await used(), first);
  runtime.time = first + 65_000;
  await show();
  assert.equal(await used(), first + 65_000);
});

test('no key is made for nobody, for a disabled user, as admin for somebody who is none, or expired', async t => {
  const { keys, disable, alice, person } = await withKey(t);
  const bob = await person('bob');
  await disable(bob.id);
  await assert.rejects(keys.create({ ...plain, userId: 'usr_nobody' }), { code: 'not_found' });
  await assert.rejects(keys.create({ ...plain, userId: bob.id }), { code: 'conflict' });
  await assert.rejects(keys.create({ ...plain, userId: alice.id, admin: true }), { code: 'conflict' });
  await assert.rejects(keys.create({ ...plain, userId: alice.id, expiresAt: 1 }), { code: 'bad_request' });
});

test('making and revoking a key is in the audit, its value is not', async t => {
  const { keys, events, id, key } = await withKey(t);
  await keys.revoke(id, { userId: 'usr_admin', credentialId: 'ses_1', address: '203.0.113.7' });
  assert.deepEqual(
    events.map(event => [event.action, event.target, event.userId, event.credentialId, event.address]),
    [
      ['key.create', id, null, 'command-line', null],
      ['key.revoke', id, 'usr_admin', 'ses_1', '203.0.113.7'],
    ],
  );
  assert.ok(!JSON.stringify(events).includes(key.slice(3)));
});
