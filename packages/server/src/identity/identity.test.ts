import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SignJWT } from 'jose';
import { identityGround, request } from '../../test/fixtures/identity.ts';
import { Secret } from '../platform/secret.ts';
import { commandLine } from '../terms/audit.ts';
import { anonymous } from './anonymous.ts';
import { createIdentity } from './identity.ts';
import { createJwts } from './jwt.ts';
import { createProxyHeader } from './proxy-header.ts';

const SECRET = 'a shared secret of more than thirty-two bytes';
const PROXY = '10.0.0.1';
const plain = { name: 'test', admin: false, scope: null, expiresAt: null };
const challenged = { code: 'unauthenticated', headers: { 'www-authenticate': 'Bearer' } };
const refused = { code: 'unauthenticated', headers: { 'www-authenticate': 'Bearer error="invalid_token"' } };
const ambiguous = { code: 'bad_request' };

/** Every way in at once, so that a test sees which one decides. */
async function everyWay(t: TestContext, { required = true, clientCredentials = true } = {}) {
  const ground = await identityGround(t);
  const alice = await ground.person('alice');
  const { key } = await ground.keys.create({ ...plain, userId: alice.id });
  const jwt = await new SignJWT({ sub: 'robot', exp: ground.runtime.time / 1000 + 300 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(SECRET));
  const issuer = {
    issuer: null,
    audience: null,
    jwksUrl: null,
    secret: new Secret(SECRET),
    matchEmail: false,
  };
  const session = await ground.signIn(alice.id);
  const identity = createIdentity({
    keys: ground.keys,
    jwts: createJwts({ issuers: [issuer], fetch, ...ground }),
    sessions: ground.sessions,
    proxyHeader: createProxyHeader({ header: { name: 'X-User', from: [`${PROXY}/32`] }, ...ground }),
    auth: { required, clientCredentials },
  });
  const show = async (headers: Parameters<typeof request>[0], address?: string) =>
    identity.authenticate(request(headers, address));
  const proof = async (headers: Record<string, string>, address?: string) =>
    (await show(headers, address)).proof;
  return { ...ground, identity, show, proof, key, jwt, session };
}

test('a bearer value goes before the session, the session before the proxy header', async t => {
  const { proof, key, jwt, session } = await everyWay(t);
  const all = { Authorization: `Bearer ${key}`, Cookie: session.cookie, 'X-User': 'carol' };
  assert.equal(await proof(all, PROXY), 'key');
  assert.equal(await proof({ ...all, Authorization: `bearer  ${jwt}` }, PROXY), 'jwt');
  assert.equal(await proof({ Cookie: all.Cookie, 'X-User': 'carol' }, PROXY), 'session');
  assert.equal(await proof({ Cookie: 'other=1', 'X-User': 'carol' }, PROXY), 'proxy-header');
});

test('a gateway key is taken from x-api-key too, and any other value there is none of ours', async t => {
  const { proof, show, key, session } = await everyWay(t);
  assert.equal(await proof({ 'x-api-key': key }), 'key');
  assert.equal(await proof({ 'x-api-key': 'other', Cookie: session.cookie }), 'session');
  await assert.rejects(show({ 'x-api-key': `${key}x`, Cookie: session.cookie }), refused);
  assert.equal(await proof({ 'x-api-key': key, Authorization: `Bearer ${key}` }), 'key');
});

test('without a credential the answer is a challenge, or the anonymous principal where none is required', async t => {
  const strict = await everyWay(t);
  await assert.rejects(strict.show({}), challenged);
  await assert.rejects(strict.show({ Cookie: 'other=1' }), challenged);
  const open = await everyWay(t, { required: false });
  assert.equal(await open.show({}), anonymous);
  assert.deepEqual([anonymous.userId, anonymous.admin, anonymous.groups], ['anonymous', false, []]);
});

test('an invalid credential never falls through to a weaker one', async t => {
  const { show, key, jwt, session } = await everyWay(t, { required: false });
  const weaker = { Cookie: session.cookie, 'X-User': 'carol' };
  const bad = [
    `Bearer ${key.slice(0, -1)}`,
    `Bearer ${jwt.slice(0, -9)}`,
    'Bearer',
    'Bearer ',
    'Basic YTpi',
    `Bearer ${key} x`,
  ];
  for (const Authorization of [...bad, key, `Bearer ${key}, Bearer ${key}`, '']) {
    await assert.rejects(show({ Authorization, ...weaker }, PROXY), refused, Authorization);
  }
  for (const Cookie of [
    session.cookie.slice(0, -1),
    session.cookie.replace(/=.*/, '='),
    `${session.cookie}; a=b; `.replace(/=.{3}/, '=AAA'),
  ]) {
    await assert.rejects(show({ Cookie, 'X-User': 'carol' }, PROXY), { code: 'unauthenticated' });
  }
  await assert.rejects(show({ 'X-User': 'carol' }, '203.0.113.7'), refused);
});

test('a session that has ended is refused once, and its cookie forgotten where one may go on without', async t => {
  const { show, sessions, session } = await everyWay(t);
  await show({ Cookie: session.cookie });
  await sessions.end(session.id, commandLine);
  await assert.rejects(show({ Cookie: session.cookie }), {
    code: 'unauthenticated',
    headers: { ...refused.headers, 'set-cookie': sessions.clearCookie() },
  });
});

test('a repeated Authorization header is refused, equal or not', async t => {
  const { show, key } = await everyWay(t);
  for (const second of [`Bearer ${key}`, 'Bearer other']) {
    await assert.rejects(
      show([
        ['Authorization', `Bearer ${key}`],
        ['authorization', second],
      ]),
      ambiguous,
    );
  }
});

test('two different credentials, or a repeated x-api-key, are refused', async t => {
  const { show, key, jwt } = await everyWay(t);
  await assert.rejects(show({ Authorization: `Bearer ${jwt}`, 'x-api-key': key }), ambiguous);
  await assert.rejects(
    show([
      ['x-api-key', key],
      ['X-Api-Key', key],
    ]),
    refused,
  );
});

test('headers that only look alike prove nothing', async t => {
  const { show, key } = await everyWay(t);
  for (const name of [
    'X_User',
    'X-User-Id',
    'X_User_Id',
    'X-Forwarded-User',
    'Proxy-Authorization',
    'x_api_key',
  ]) {
    await assert.rejects(show({ [name]: name === 'X_User' ? 'root' : key }, PROXY), challenged, name);
  }
});

test('warm, every way in is answered without a promise', async t => {
  const { identity, show, key, jwt, session } = await everyWay(t);
  const shown: Record<string, string>[] = [
    { Authorization: `Bearer ${key}` },
    { 'x-api-key': key },
    { Authorization: `Bearer ${jwt}` },
    { Cookie: session.cookie },
    { 'X-User': 'carol' },
  ];
  for (const headers of shown) {
    const cold = await show(headers, PROXY);
    const warm = identity.authenticate(request(headers, PROXY));
    assert.ok(!(warm instanceof Promise));
    assert.equal(warm, cold);
  }
});

test('where only the proxy speaks for clients, keys and JWTs are not looked at', async t => {
  const { show, proof, key, jwt } = await everyWay(t, { clientCredentials: false });
  assert.equal(await proof({ Authorization: `Bearer ${key}`, 'X-User': 'carol' }, PROXY), 'proxy-header');
  for (const value of [key, jwt])
    await assert.rejects(show({ Authorization: `Bearer ${value}` }), challenged);
  await assert.rejects(show({ 'x-api-key': key }), challenged);
});

test('no refusal holds what was shown', async t => {
  const { show, key } = await everyWay(t);
  const shown: Record<string, string>[] = [
    { Authorization: `Bearer ${key}x` },
    { Authorization: `Basic ${key}` },
    { Cookie: `oauth_session_id=${key}` },
  ];
  for (const headers of shown) {
    await assert.rejects(show(headers), error => {
      const all = JSON.stringify(error, Object.getOwnPropertyNames(error));
      return !all.includes(key.slice(3));
    });
  }
});
