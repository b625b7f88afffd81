import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { identityGround } from '../../test/fixtures/identity.ts';
import { asAppError } from '../platform/errors.ts';
import type { Principal, Proof } from '../terms/principal.ts';
import { identityRoutes } from './routes.ts';
import { createUserRemoval } from './user-removal.ts';
import { userRoutes } from './user-routes.ts';
import type { User } from './user-store.ts';

/** The routes in a server of their own, called by whoever the test says; policies are the edge's, and tested there. */
async function withRoutes(t: TestContext) {
  const ground = await identityGround(t);
  const [alice, bob, root] = [
    await ground.person('alice'),
    await ground.person('bob'),
    await ground.person('root', { admin: true }),
  ];
  const ids = { alice: '', bob: '', root: '' };
  for (const user of [alice, bob, root])
    ids[user.name as keyof typeof ids] = (await ground.signIn(user.id)).id;
  const sessionsOf = async (user: User) => (await ground.sessions.list(user.id)).length;

  let caller: Principal;
  const app = Fastify();
  t.after(() => app.close());
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  app.addHook('onRequest', async request => {
    assert.match(request.routeOptions.config.policy ?? 'none', /^(signed-in|admin)$/);
    request.principal = caller;
  });
  app.setErrorHandler((error: { statusCode?: number }, _, reply) =>
    reply.code(error.statusCode ?? asAppError(error).status).send(),
  );
  const gateway = {
    name: 'Sallyport',
    version: '0.1.0',
    publicUrl: new URL('https://gate.corp.example/'),
    localAccounts: false,
  };
  await app.register(identityRoutes({ ...ground, gateway }));
  const removal = createUserRemoval({
    ...ground,
    invitations: { countBy: async () => 2 },
    grantsOf: async () => [{ id: 'grt_1' }],
    terminalsOf: async () => 3,
    tunnelsOf: async () => 4,
    endGrant: async () => true,
  });
  await app.register(userRoutes({ ...ground, removal }));

  async function call(
    as: Principal,
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    body?: object,
  ) {
    caller = as;
    const answer = await app.inject({ method, url, ...(body ? { body } : {}) });
    return {
      status: answer.statusCode,
      body: answer.body === '' ? null : answer.json(),
      headers: answer.headers,
    };
  }
  return { ...ground, call, ids, sessionsOf, alice, bob, root };
}

const as = (user: User, more: Partial<Principal> = {}): Principal => ({
  userId: user.id,
  email: user.email,
  name: user.name,
  groups: user.groups,
  admin: user.admin,
  proof: 'session',
  credentialId: 'ses_own',
  grantId: null,
  scope: null,
  ...more,
});

const EXPIRY = '2027-01-15T09:00:00.000Z';

test('me says who calls and by what, and nothing secret', async t => {
  const { call, alice } = await withRoutes(t);
  const { status, body } = await call(as(alice), 'GET', '/api/v1/me');
  assert.equal(status, 200);
  assert.deepEqual(body, {
    user: {
      id: alice.id,
      email: 'alice@corp.example',
      name: 'alice',
      groups: [],
      admin: false,
      local: false,
    },
    proof: 'session',
    credential_id: 'ses_own',
    scope: null,
    gateway: {
      name: 'Sallyport',
      version: '0.1.0',
      public_url: 'https://gate.corp.example',
      local_accounts: false,
    },
  });
});

test('people list and end their own sessions, and another’s is as if it did not exist', async t => {
  const { call, ids, sessionsOf, alice, bob } = await withRoutes(t);
  const { body } = await call(as(alice, { credentialId: ids.alice }), 'GET', '/api/v1/sessions');
  assert.deepEqual(
    body.items.map((session: { id: string; current: boolean }) => [session.id, session.current]),
    [[ids.alice, true]],
  );
  assert.equal((await call(as(alice), 'DELETE', `/api/v1/sessions/${ids.bob}`)).status, 404);
  assert.equal((await call(as(alice), 'DELETE', '/api/v1/sessions/ses_none')).status, 404);
  assert.equal((await call(as(alice), 'GET', `/api/v1/sessions?user=${bob.id}`)).status, 403);
  assert.equal(await sessionsOf(bob), 1);
  assert.equal((await call(as(alice), 'DELETE', `/api/v1/sessions/${ids.alice}`)).status, 204);
  assert.equal(await sessionsOf(alice), 0);
});

test("admins list and end anybody's sessions and keys", async t => {
  const { call, ids, sessionsOf, keys, alice, root } = await withRoutes(t);
  const { id } = await keys.create({
    userId: alice.id,
    name: 'k',
    admin: false,
    scope: null,
    expiresAt: null,
  });
  assert.equal((await call(as(root), 'GET', `/api/v1/sessions?user=${alice.id}`)).body.items.length, 1);
  assert.equal((await call(as(root), 'GET', `/api/v1/keys?user=${alice.id}`)).body.items[0].id, id);
  assert.equal((await call(as(root), 'DELETE', `/api/v1/sessions/${ids.alice}`)).status, 204);
  assert.equal((await call(as(root), 'DELETE', `/api/v1/keys/${id}`)).status, 204);
  assert.equal(await sessionsOf(alice), 0);
});

test('a key is shown once, works, is listed without its value, and ends', async t => {
  const { call, keys, runtime, alice } = await withRoutes(t);
  const wanted = { name: 'laptop', scope: ['corp-llm'], expires_at: EXPIRY };
  const made = await call(as(alice), 'POST', '/api/v1/keys', wanted);
  assert.equal(made.status, 201);
  assert.equal(made.headers['cache-control'], 'no-store');
  const { key, ...row } = made.body;
  assert.equal((await keys.authenticate(key)).credentialId, row.id);
  const listed = async () => (await call(as(alice), 'GET', '/api/v1/keys')).body.items;
  assert.ok(!JSON.stringify(await listed()).includes(key.slice(3)));
  assert.deepEqual(
    (await listed()).map((one: object) => ({ ...one, used_at: null })),
    [row],
  );
  assert.deepEqual(
    [row.name, row.admin, row.scope, row.expires_at, row.revoked_at],
    ['laptop', false, ['corp-llm'], EXPIRY, null],
  );
  assert.equal((await call(as(alice), 'DELETE', `/api/v1/keys/${made.body.id}`)).status, 204);
  await assert.rejects(async () => keys.authenticate(made.body.key), { code: 'unauthenticated' });
  assert.equal((await call(as(alice), 'DELETE', `/api/v1/keys/${made.body.id}`)).status, 404);
  assert.equal(typeof (await listed())[0].revoked_at, 'string');
  runtime.time += 31 * 86_400_000;
  assert.deepEqual(await listed(), [], 'a month later nobody needs to know');
});

test('a lifetime in seconds counts from now', async t => {
  const { call, runtime, alice } = await withRoutes(t);
  const { body } = await call(as(alice), 'POST', '/api/v1/keys', { name: 'x', expires_in: 3600 });
  assert.equal(Date.parse(body.expires_at), runtime.time + 3_600_000);
});

test("another's key is neither listed nor ended, and answers as if it did not exist", async t => {
  const { call, keys, alice, bob } = await withRoutes(t);
  const { id, key } = await keys.create({
    userId: bob.id,
    name: 'k',
    admin: false,
    scope: null,
    expiresAt: null,
  });
  assert.deepEqual((await call(as(alice), 'GET', '/api/v1/keys')).body.items, []);
  assert.equal((await call(as(alice), 'GET', `/api/v1/keys?user=${bob.id}`)).status, 403);
  assert.equal((await call(as(alice), 'DELETE', `/api/v1/keys/${id}`)).status, 404);
  assert.equal((await keys.authenticate(key)).userId, bob.id);
});

test('a body that is misspelled, empty or of wrong types makes no key', async t => {
  const { call, keys, alice } = await withRoutes(t);
  const bad = [
    {},
    { name: '' },
    { name: 'x', scopes: ['corp-llm'] },
    { name: 'x', scope: [] },
    { name: 'x', scope: 'corp-llm' },
    { name: 'x', admin: 'false' },
    { name: 'x', expires_at: 'tomorrow' },
    { name: 'x', expires_at: '2001-01-01T00:00:00Z' },
    { name: 'x', expires_in: 0 },
    { name: 'x', expires_in: 1.5 },
    { name: 'x', expires_in: 60, expires_at: EXPIRY },
    { name: 'x', user: 'usr_other' },
  ];
  for (const body of bad) {
    assert.equal((await call(as(alice), 'POST', '/api/v1/keys', body)).status, 400, JSON.stringify(body));
  }
  assert.deepEqual(await keys.list(alice.id), []);
});

test('nobody makes an admin key who is not an admin in this very session', async t => {
  const { call, alice, root } = await withRoutes(t);
  const wanted = { name: 'x', admin: true };
  assert.equal((await call(as(alice), 'POST', '/api/v1/keys', wanted)).status, 403);
  assert.equal((await call(as(root, { admin: false }), 'POST', '/api/v1/keys', wanted)).status, 403);
  assert.equal((await call(as(root), 'POST', '/api/v1/keys', wanted)).status, 201);
});

test('neither a plain key nor a JWT makes keys, not even an admin’s JWT', async t => {
  const { call, keys, alice, root } = await withRoutes(t);
  const made = await keys.create({ userId: alice.id, name: 'k', admin: false, scope: null, expiresAt: null });
  const plain = await keys.authenticate(made.key);
  const rootKey = await keys.create({
    userId: root.id,
    name: 'k',
    admin: false,
    scope: null,
    expiresAt: null,
  });
  const jwt = { proof: 'jwt' as Proof, credentialId: 'jwt:x' };
  for (const caller of [plain, await keys.authenticate(rootKey.key), as(alice, jwt), as(root, jwt)]) {
    assert.equal((await call(caller, 'POST', '/api/v1/keys', { name: 'x' })).status, 403, caller.proof);
  }
});

test("an admin's key makes keys, but none wider or longer lived than itself", async t => {
  const { call, keys, root } = await withRoutes(t);
  const limits = { admin: true, scope: ['a', 'b'], expiresAt: Date.parse(EXPIRY) };
  const parent = await keys.create({ userId: root.id, name: 'ci', ...limits });
  const ci = await keys.authenticate(parent.key);
  const make = async (more: object) =>
    (await call(ci, 'POST', '/api/v1/keys', { name: 'x', ...more })).status;
  assert.equal(await make({ scope: ['a'], expires_at: EXPIRY }), 201);
  assert.equal(await make({ scope: ['a', 'b'], admin: true, expires_at: '2027-01-15T08:59:00Z' }), 201);
  assert.equal(await make({ expires_at: EXPIRY }), 403, 'no scope is every upstream');
  assert.equal(await make({ scope: null, expires_at: EXPIRY }), 403);
  assert.equal(await make({ scope: ['a', 'c'], expires_at: EXPIRY }), 403);
  assert.equal(await make({ scope: ['a'] }), 403, 'no expiry is forever');
  assert.equal(await make({ scope: ['a'], expires_at: '2027-01-15T09:00:00.001Z' }), 403);
  await keys.revoke(parent.id);
  assert.equal(
    await make({ scope: ['a'], expires_at: EXPIRY }),
    403,
    'a request that was let in before the revocation',
  );
});

test('disabling a user ends sessions, silences keys at once and is undone by enabling', async t => {
  const { call, sessionsOf, keys, events, alice, bob, root } = await withRoutes(t);
  const { key } = await keys.create({
    userId: alice.id,
    name: 'k',
    admin: false,
    scope: null,
    expiresAt: null,
  });
  await keys.authenticate(key);
  const { status, body } = await call(as(root), 'PATCH', `/api/v1/users/${alice.id}`, {
    disabled: true,
  });
  assert.equal(status, 200);
  assert.equal(typeof body.disabled_at, 'string');
  assert.deepEqual([await sessionsOf(alice), await sessionsOf(bob)], [0, 1]);
  await assert.rejects(async () => keys.authenticate(key), { code: 'unauthenticated' });
  const enabled = await call(as(root), 'PATCH', `/api/v1/users/${alice.id}`, { disabled: false });
  assert.equal(enabled.body.disabled_at, null);
  assert.equal((await keys.authenticate(key)).userId, alice.id);
  const acts = events.filter(event => event.action.startsWith('user.'));
  assert.deepEqual(
    acts.map(event => [event.action, event.userId, event.target]),
    [
      ['user.disable', root.id, alice.id],
      ['user.enable', root.id, alice.id],
    ],
  );
});

test('nobody disables themselves or stops being an admin, whatever credential they show, and an unknown user is not found', async t => {
  const { call, users, root } = await withRoutes(t);
  for (const caller of [as(root), as(root, { proof: 'key', credentialId: 'key_x' })]) {
    const path = `/api/v1/users/${root.id}`;
    assert.equal((await call(caller, 'PATCH', path, { disabled: true })).status, 409);
    assert.equal((await call(caller, 'PATCH', path, { admin: false })).status, 409);
  }
  assert.equal((await users.get(root.id))!.disabledAt, null);
  assert.equal((await users.get(root.id))!.admin, true);
  const nobody = await call(as(root), 'PATCH', '/api/v1/users/usr_none', { disabled: true });
  assert.equal(nobody.status, 404);
});

test('an admin makes another one and takes it back; what a provider says of somebody is not undone here', async t => {
  const { call, person, events, alice, root } = await withRoutes(t);
  const patch = (user: User, body: object) => call(as(root), 'PATCH', `/api/v1/users/${user.id}`, body);
  assert.equal((await patch(alice, { admin: true })).body.admin, true);
  assert.equal((await patch(alice, { admin: false })).body.admin, false);
  const claimed = await person('carol', { admin: true });
  assert.equal((await patch(claimed, { admin: false })).status, 409);
  assert.equal((await patch(alice, { admin: 'yes' })).status, 400);
  assert.deepEqual(
    events.filter(event => event.target === alice.id).map(event => event.action),
    ['user.make-admin', 'user.unmake-admin'],
  );
});

test('whatever is done, the audit says who did it, by which credential and from where', async t => {
  const { call, ids, events, alice, bob, root } = await withRoutes(t);
  events.length = 0;
  const { id } = (await call(as(root), 'POST', '/api/v1/keys', { name: 'ci' })).body;
  await call(as(root), 'DELETE', `/api/v1/keys/${id}`);
  await call(as(root), 'DELETE', `/api/v1/sessions/${ids.alice}`);
  await call(as(root), 'PATCH', `/api/v1/users/${alice.id}`, { admin: true });
  await call(as(root), 'PATCH', `/api/v1/users/${bob.id}`, { disabled: true });
  assert.deepEqual(
    events.map(({ action, target }) => [action, target]),
    [
      ['key.create', id],
      ['key.revoke', id],
      ['session.end', ids.alice],
      ['user.make-admin', alice.id],
      ['user.disable', bob.id],
      ['session.end', ids.bob],
    ],
  );
  for (const { action, userId, credentialId, address } of events)
    assert.deepEqual([userId, credentialId, address], [root.id, as(root).credentialId, '127.0.0.1'], action);
});

test('what goes with a user is counted before anything is done to them', async t => {
  const { call, keys, alice, root } = await withRoutes(t);
  const wanted = { userId: alice.id, name: 'k', admin: false, scope: null, expiresAt: null };
  await keys.create(wanted);
  await keys.revoke((await keys.create(wanted)).id);
  const { body } = await call(as(root), 'GET', `/api/v1/users/${alice.id}/consequences`);
  assert.deepEqual(body, { sessions: 1, keys: 1, grants: 1, invitations: 2, terminals: 3, tunnels: 4 });
});

test('admins list users with what the gateway knows of them', async t => {
  const { call, root } = await withRoutes(t);
  const { body } = await call(as(root), 'GET', '/api/v1/users');
  assert.deepEqual(body.items.map((user: { name: string }) => user.name).sort(), ['alice', 'bob', 'root']);
  const keysOf = Object.keys(body.items[0]).sort();
  assert.deepEqual(keysOf, [
    'admin',
    'created_at',
    'disabled_at',
    'email',
    'groups',
    'id',
    'local',
    'name',
    'seen_at',
  ]);
});

test('the last admin is not removed, whoever asks', async t => {
  const { call, alice, root, users } = await withRoutes(t);
  const remove = (by: User) => call(as(by, { admin: true }), 'DELETE', `/api/v1/users/${root.id}`);
  assert.equal((await remove(alice)).status, 409);
  assert.equal((await users.get(root.id))?.disabledAt, null);
  await users.setAdmin(alice.id, true);
  assert.equal((await remove(alice)).status, 204);
  assert.equal(await users.get(root.id), null);
});
