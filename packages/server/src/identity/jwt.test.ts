import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  exportJWK,
  exportSPKI,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { identityGround, request } from '../../test/fixtures/identity.ts';
import type { JwtIssuer } from '../config/types.ts';
import { createGuardedFetch } from '../platform/net-fetch.ts';
import { Secret } from '../platform/secret.ts';
import { createJwts } from './jwt.ts';

const ISSUER = 'https://login.corp.example';
const SECRET = 'a shared secret of more than thirty-two bytes';
const START = 1_800_000_000;
const refused = { code: 'unauthenticated', headers: { 'www-authenticate': 'Bearer error="invalid_token"' } };

const good = generateKeyPairSync('rsa', { modulusLength: 2048 });
const evil = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** The issuer's key set on a loopback server, which counts how often it is asked and may be made to fail. */
async function startKeySet(t: TestContext) {
  const keys = [
    { ...(await exportJWK(good.publicKey)), kid: 'good', alg: 'RS256', use: 'sig' },
    { ...(await exportJWK(curve.publicKey)), kid: 'curve', use: 'sig' },
    { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'oct', alg: 'HS256' },
  ];
  const set = { fetches: 0, status: 200, body: JSON.stringify({ keys }), url: '' };
  const server = createServer((_, res) => {
    set.fetches += 1;
    res.writeHead(set.status, { 'content-type': 'application/json' }).end(set.body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  set.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  return set;
}

interface Made {
  claims?: JWTPayload;
  header?: Partial<JWTHeaderParameters>;
  key?: Parameters<SignJWT['sign']>[0];
}

/** A good token, but for what the test changes of it; a claim that is undefined is left out. */
function token({ claims = {}, header = {}, key = good.privateKey }: Made = {}): Promise<string> {
  const payload = { iss: ISSUER, aud: 'sallyport', sub: 'alice', exp: START + 300, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'good', ...header }).sign(key);
}

/** A token under the shared secret. */
const shared = (claims: JWTPayload = {}, secret = SECRET): Promise<string> =>
  token({
    claims: { iss: undefined, aud: undefined, ...claims },
    header: { alg: 'HS256', kid: undefined },
    key: new TextEncoder().encode(secret),
  });

async function withIssuers(t: TestContext, { matchEmail = false } = {}) {
  const ground = await identityGround(t);
  const keySet = await startKeySet(t);
  const issuers: JwtIssuer[] = [
    { issuer: ISSUER, audience: 'sallyport', jwksUrl: keySet.url, secret: null, matchEmail },
    { issuer: null, audience: null, jwksUrl: null, secret: new Secret(SECRET), matchEmail },
  ];
  const guarded = createGuardedFetch({ insecureHttp: false, privateAddresses: true });
  t.after(() => guarded[Symbol.asyncDispose]());
  const jwts = createJwts({ issuers, fetch: guarded, ...ground });
  return { ...ground, keySet, jwts, show: async (value: string) => jwts.authenticate(value, request({})) };
}

test('a token of a configured issuer is the person who signed in there, with the groups it says', async t => {
  const { show, person } = await withIssuers(t);
  const alice = await person('alice', { groups: ['old'] });
  const principal = await show(await token({ claims: { groups: ['engineering', 7, 'ai'] } }));
  assert.equal(principal.userId, alice.id);
  assert.equal(principal.email, 'alice@corp.example');
  assert.deepEqual(principal.groups, ['engineering', 'ai']);
  assert.deepEqual(
    [principal.proof, principal.admin, principal.scope, principal.grantId],
    ['jwt', false, null, null],
  );
  assert.match(principal.credentialId, /^jwt:[\w-]{43}$/);
  assert.deepEqual(
    (await show(await token())).groups,
    ['old'],
    'a token without the claim leaves those of the user',
  );
});

test('a token of a subject never seen makes a user of that issuer, once', async t => {
  const { show, users, events } = await withIssuers(t);
  const first = await show(await token({ claims: { sub: 'robot', name: 'Robot' } }));
  const second = await show(await token({ claims: { sub: 'robot', jti: 'other' } }));
  assert.equal(second.userId, first.userId);
  assert.deepEqual(
    (await users.list()).map(user => [user.name, user.email, user.admin]),
    [['Robot', null, false]],
  );
  const { userId, credentialId } = first;
  assert.deepEqual(events, [
    { action: 'user.create', userId, credentialId, address: '203.0.113.7', target: userId },
  ]);
});

test('a token that was shown a moment ago is answered without a promise', async t => {
  const { jwts, show } = await withIssuers(t);
  const value = await token();
  assert.ok(jwts.authenticate(value, request({})) instanceof Promise);
  const principal = await show(value);
  assert.equal(jwts.authenticate(value, request({})), principal);
});

const attacks: Record<string, () => string | Promise<string>> = {
  'with algorithm none': () =>
    new UnsecuredJWT({ iss: ISSUER, aud: 'sallyport', sub: 'alice', exp: START + 300 }).encode(),
  'with algorithm none in disguise': async () => {
    const [, payload] = (await token()).split('.');
    return `${Buffer.from('{"alg":"nOnE","kid":"good"}').toString('base64url')}.${payload}.`;
  },
  'signed HS256 with the RSA public key': async () => {
    const [, payload] = (await token()).split('.');
    const head = `${Buffer.from('{"alg":"HS256","kid":"good"}').toString('base64url')}.${payload}`;
    return `${head}.${createHmac('sha256', await exportSPKI(good.publicKey))
      .update(head)
      .digest('base64url')}`;
  },
  'of a named issuer, signed with the shared secret of another': () =>
    shared({ iss: ISSUER, aud: 'sallyport' }),
  'signed HS256 with a shared secret that its issuer published': () =>
    token({ header: { alg: 'HS256', kid: 'oct' }, key: new TextEncoder().encode(SECRET) }),
  'with the right kid and the wrong key': () => token({ key: evil.privateKey }),
  'with an unknown kid': () => token({ header: { kid: 'unknown' } }),
  'that brings its own key': async () =>
    token({ header: { kid: undefined, jwk: await exportJWK(evil.publicKey) }, key: evil.privateKey }),
  'that names its own key set': () =>
    token({ header: { kid: 'evil', jku: 'https://evil.example/jwks' }, key: evil.privateKey }),
  'whose payload was changed after signing': async () => {
    const [head, , signature] = (await token()).split('.');
    const payload = Buffer.from(
      JSON.stringify({ iss: ISSUER, aud: 'sallyport', sub: 'root', exp: START + 300 }),
    );
    return `${head}.${payload.toString('base64url')}.${signature}`;
  },
  'without its signature': async () => (await token()).replace(/[^.]*$/, ''),
  'of another issuer': () => token({ claims: { iss: 'https://evil.example' } }),
  'of an issuer that differs by a slash': () => token({ claims: { iss: `${ISSUER}/` } }),
  'for another audience': () => token({ claims: { aud: 'other' } }),
  'without an audience': () => token({ claims: { aud: undefined } }),
  'that expired this second': () => token({ claims: { exp: START } }),
  'without an expiry': () => token({ claims: { exp: undefined } }),
  'with an expiry that is a text': () => token({ claims: { exp: '9999999999' as never } }),
  'that is not valid yet': () => token({ claims: { nbf: START + 60 } }),
  'with neither sub nor email': () => token({ claims: { sub: undefined } }),
  'with an empty sub': () => token({ claims: { sub: '', email: 'alice@corp.example' } }),
  'with a sub that is a number': () => token({ claims: { sub: 7 as never, email: 'alice@corp.example' } }),
  'with control characters in its sub': () => token({ claims: { sub: 'alice\u0000' } }),
  'with a sub of 256 characters': () => token({ claims: { sub: 'a'.repeat(256) } }),
  'that is a logout token': () => token({ header: { typ: 'logout+jwt' } }),
  'with security events': () =>
    token({ claims: { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } } }),
  'bound to a key': () => token({ claims: { cnf: { jkt: 'x' } } }),
  'with a critical extension nobody knows': async () => {
    const [, payload] = (await token()).split('.');
    return `${Buffer.from('{"alg":"RS256","kid":"good","crit":["x"],"x":1}').toString('base64url')}.${payload}.AAAA`;
  },
  'under another shared secret': () => shared({}, 'another secret of more than thirty-two bytes'),
  'under the shared secret, expired': () => shared({ exp: START - 1 }),
  'that is no token': () => 'nonsense',
  'of three dots': () => '...',
  'with a header that is no object': () => `${Buffer.from('7').toString('base64url')}.e30.AAAA`,
};

for (const [what, make] of Object.entries(attacks)) {
  test(`a token ${what} is refused, and makes no user`, async t => {
    const { show, users } = await withIssuers(t);
    const value = await make();
    for (let round = 0; round < 2; round++) await assert.rejects(show(value), refused);
    assert.deepEqual(await users.list(), []);
  });
}

test('ES256, at+jwt and a clock that is some seconds ahead are accepted', async t => {
  const { show } = await withIssuers(t);
  await show(await token({ header: { alg: 'ES256', kid: 'curve' }, key: curve.privateKey }));
  await show(await token({ header: { typ: 'at+jwt' } }));
  await show(await token({ claims: { nbf: START + 4 } }));
  await show(await token({ claims: { aud: ['other', 'sallyport'] } }));
});

test('a shared secret takes HS256 tokens of any iss that is not configured by name', async t => {
  const { show, users } = await withIssuers(t);
  const { userId } = await show(await shared());
  assert.equal((await show(await shared({ iss: 'mcpgateway' }))).userId, userId);
  assert.equal((await users.byIdentity('sallyport:jwt', 'alice'))?.id, userId);
});

test("a shared secret's subject is never the person who signed in under the same subject elsewhere", async t => {
  const { show, person } = await withIssuers(t);
  const alice = await person('alice');
  assert.notEqual((await show(await shared())).userId, alice.id);
});

test('without a sub the email is the user', async t => {
  const { show, users } = await withIssuers(t);
  const { userId } = await show(await shared({ sub: undefined, email: 'bob@corp.example' }));
  assert.equal((await users.byIdentity('sallyport:jwt', 'bob@corp.example'))?.id, userId);
});

test('only the boolean is_admin, plain or nested, makes an admin, and only for this token', async t => {
  const { show, users } = await withIssuers(t);
  const admin = async (claims: JWTPayload) => (await show(await shared(claims))).admin;
  assert.equal(await admin({ is_admin: true }), true);
  assert.equal(await admin({ user: { is_admin: true } }), true);
  for (const claims of [
    { is_admin: 'true' },
    { is_admin: 1 },
    { user: { is_admin: 'yes' } },
    { user: null },
    { user: [true] },
    { admin: true },
  ]) {
    assert.equal(await admin(claims), false, JSON.stringify(claims));
  }
  assert.deepEqual(
    (await users.list()).map(user => user.admin),
    [false],
  );
});

test("a token without the claim is no admin's, though its user is one", async t => {
  const { show, person } = await withIssuers(t);
  await person('alice', { admin: true });
  assert.equal((await show(await token())).admin, false);
});

test('an address names the user only where the operator said so, and only when it is one user', async t => {
  const { show, person } = await withIssuers(t, { matchEmail: true });
  const alice = await person('alice');
  const robot = { sub: 'robot', email: 'Alice@corp.example' };
  assert.equal((await show(await token({ claims: robot }))).userId, alice.id);
  assert.equal(
    (await show(await shared({ sub: 'alice@corp.example' }))).userId,
    alice.id,
    'a sub that is an address',
  );
  assert.notEqual(
    (await show(await token({ claims: { ...robot, sub: 'x', email_verified: false } }))).userId,
    alice.id,
  );
  const twin = await person('alice-2', { email: 'alice@corp.example' });
  const { userId } = await show(await token({ claims: { ...robot, sub: 'y' } }));
  assert.ok(userId !== alice.id && userId !== twin.id);
});

test('an address that names nobody is not kept, so that no access rule meets it', async t => {
  const { show, person } = await withIssuers(t);
  const alice = await person('alice');
  const principal = await show(
    await token({ claims: { sub: 'mallory', email: 'alice@corp.example', email_verified: true } }),
  );
  assert.notEqual(principal.userId, alice.id);
  assert.equal(principal.email, null);
});

test('a cached token ends at its expiry', async t => {
  const { show, runtime } = await withIssuers(t);
  const value = await token({ claims: { exp: START + 2 } });
  await show(value);
  runtime.time += 1_999;
  await show(value);
  runtime.time += 1;
  await assert.rejects(show(value), refused);
});

test('a user who is disabled while their token is cached is refused at once, and welcome again when enabled', async t => {
  const { show, disable, users, bus } = await withIssuers(t);
  const value = await token();
  const { userId } = await show(value);
  await disable(userId);
  await assert.rejects(show(value), refused);
  await users.setDisabled(userId, false);
  bus.publish({ topic: 'user-changed', userId });
  assert.equal((await show(value)).userId, userId);
});

test('a user whom another process disabled is refused within 5 seconds, though the token was verified', async t => {
  const { show, users, runtime } = await withIssuers(t);
  const value = await token();
  const { userId } = await show(value);
  await users.setDisabled(userId, true);
  runtime.time += 5_000;
  await assert.rejects(show(value), refused);
});

test('a verified token is not verified again until it expires, not even when its key is withdrawn', async t => {
  const { show, runtime, keySet } = await withIssuers(t);
  // The key set's age is counted on the real clock.
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const value = await token({ claims: { exp: START + 7200 } });
  await show(value);
  keySet.body = '{"keys":[]}';
  runtime.time += 3_600_000;
  t.mock.timers.tick(3_600_000);
  await show(value);
  assert.equal(keySet.fetches, 1);
  await assert.rejects(show(await token({ claims: { exp: START + 7201 } })), refused);
  assert.equal(keySet.fetches, 2);
});

test('a flood of unknown kids asks for the key set once', async t => {
  const { show, keySet } = await withIssuers(t);
  await show(await token());
  for (let i = 0; i < 50; i++) await assert.rejects(show(await token({ header: { kid: `k${i}` } })), refused);
  assert.equal(keySet.fetches, 1);
});

test('a key set that cannot be had answers unavailable, is asked for every 5 s at most, and heals', async t => {
  const { show, keySet, runtime } = await withIssuers(t);
  for (const [status, body] of [
    [500, ''],
    [200, 'not json'],
    [200, '{"keys":7}'],
  ] as const) {
    const before = keySet.fetches;
    const good = keySet.body;
    Object.assign(keySet, { status, body });
    for (let i = 0; i < 10; i++) {
      await assert.rejects(show(await token({ claims: { jti: `${body}${i}` } })), {
        code: 'unavailable',
        status: 503,
      });
    }
    assert.equal(keySet.fetches, before + 1);
    runtime.time += 5_000;
    Object.assign(keySet, { status: 200, body: good });
  }
  await show(await token());
});

test('no refusal holds the token or its claims', async t => {
  const { show } = await withIssuers(t);
  const value = await token({ claims: { aud: 'other', email: 'canary@corp.example' } });
  await assert.rejects(show(value), error => {
    const all = JSON.stringify(error, Object.getOwnPropertyNames(error));
    assert.equal((error as Error).cause, undefined);
    return value.split('.').every(part => !all.includes(part)) && !all.includes('canary');
  });
});

test('without a configured issuer every token is refused', async t => {
  const ground = await identityGround(t);
  const jwts = createJwts({ issuers: [], fetch, ...ground });
  const value = await token();
  await assert.rejects(async () => jwts.authenticate(value, request({})), refused);
});
