import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { identityGround } from '../../test/fixtures/identity.ts';
import { postgresUrl } from '../../test/fixtures/postgres.ts';
import { openDatabase } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { createUserStore } from './user-store.ts';

test('one identity is one user, and its profile follows the provider', async t => {
  const { person, users } = await identityGround(t);
  const first = await person('alice', { groups: ['a'] });
  const second = await person('alice', { groups: ['b'], name: 'Alice B.', admin: true });
  assert.equal(second.id, first.id);
  assert.deepEqual([second.groups, second.name, second.admin], [['b'], 'Alice B.', true]);
  assert.equal((await users.list()).length, 1);
});

test('the same subject of another issuer is another user, whatever address it claims', async t => {
  const { person } = await identityGround(t);
  const alice = await person('alice');
  const other = await person('alice', { issuer: 'https://evil.example' });
  assert.notEqual(other.id, alice.id);
});

test('a verified address joins an account that was made ahead, an unverified one does not', async t => {
  const { users, person } = await identityGround(t);
  const ahead = await users.create({ email: 'Alice@corp.example', name: null });
  assert.notEqual(
    (await person('mallory', { email: 'alice@corp.example', emailVerified: false })).id,
    ahead.id,
  );
  assert.equal((await person('alice')).id, ahead.id);
  assert.notEqual(
    (await person('alice-2', { email: 'alice@corp.example' })).id,
    ahead.id,
    'it is claimed now',
  );
});

test('an unverified address is never one that another user has, at first sight or later', async t => {
  const { person } = await identityGround(t);
  await person('alice');
  const claim = { email: 'Alice@corp.example', emailVerified: false };
  assert.equal((await person('mallory', claim)).email, null);
  await person('mallory', { email: 'mallory@corp.example', emailVerified: false });
  assert.equal((await person('mallory', claim)).email, 'mallory@corp.example');
  assert.equal((await person('alice', claim)).email, 'alice@corp.example', 'her own stays hers');
});

test('a local admin stays one when the provider says nothing or no', async t => {
  const { users, person } = await identityGround(t);
  const alice = await person('alice');
  assert.equal(await users.hasAdmin(), false);
  await users.makeAdmin(alice.id);
  assert.equal((await person('alice', { admin: false })).admin, true);
  assert.equal(await users.hasAdmin(), true);
  await users.setDisabled(alice.id, true);
  assert.equal(await users.hasAdmin(), false, 'a disabled admin counts for none');
});

test('many first sights of one identity at once make one user on PostgreSQL', async t => {
  const url = await postgresUrl(t);
  if (url === null) return;
  const database = openDatabase({ dialect: 'postgres', url }, { now: () => Date.now() });
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  const users = createUserStore(database.db, { random: bytes => randomBytes(bytes) });
  const person = { issuer: 'i', subject: 's', email: 'a@b.example', emailVerified: true, name: null };
  const seen = await Promise.all(Array.from({ length: 10 }, () => users.recognize(person)));
  assert.equal(new Set(seen.map(user => user.id)).size, 1);
  assert.equal((await users.list()).length, 1);
});
