import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createBrowser } from './fixtures/browser.ts';
import { providerAt, type SignInGround, signInGround } from './fixtures/sign-in.ts';

const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });

interface Forgery {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  sign: (input: string) => Buffer;
}

const rs256 = (key: KeyObject) => (input: string) => signBytes('sha256', Buffer.from(input), key);
const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** An authorization server that honours everything but the ID token, which it forges as it is told. */
async function startForger(
  t: TestContext,
  forge: (token: Forgery) => void,
  userinfo: object | null = null,
  before: (gateway: SignInGround) => Promise<void> = async () => {},
) {
  const nonces: string[] = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url!, issuer);
    const json = (body: unknown) =>
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
          ...(userinfo === null ? {} : { userinfo_endpoint: `${issuer}/userinfo` }),
        });
      case '/jwks':
        return json({
          keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'own', alg: 'RS256', use: 'sig' }],
        });
      case '/authorize': {
        nonces.push(url.searchParams.get('nonce')!);
        const back = new URL(url.searchParams.get('redirect_uri')!);
        back.search = new URLSearchParams({
          code: 'a-code',
          state: url.searchParams.get('state')!,
        }).toString();
        return res.writeHead(303, { location: back.href }).end();
      }
      case '/userinfo':
        return json(userinfo);
      default: {
        const now = Math.floor(Date.now() / 1000);
        const token: Forgery = {
          header: { alg: 'RS256', kid: 'own' },
          claims: {
            iss: issuer,
            sub: 'mallory',
            aud: 'sallyport',
            nonce: nonces.at(-1),
            iat: now,
            exp: now + 300,
            email: 'alice@corp.example',
          },
          sign: rs256(own.privateKey),
        };
        forge(token);
        const input = `${encoded(token.header)}.${encoded(token.claims)}`;
        return json({
          access_token: 'at-canary',
          token_type: 'bearer',
          id_token: `${input}.${token.sign(input).toString('base64url')}`,
        });
      }
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const gateway = await signInGround(t, [providerAt(issuer, { scope: 'openid' })]);
  await before(gateway);
  const page = await createBrowser().get(`${gateway.url}/auth/corp/login`);
  return { ...gateway, page };
}

const publicPem = own.publicKey.export({ format: 'pem', type: 'spki' }) as string;

const FORGERIES: Record<string, (token: Forgery) => void> = {
  'another issuer': ({ claims }) => (claims['iss'] = 'https://evil.example'),
  'another audience': ({ claims }) => (claims['aud'] = 'somebody-else'),
  'several audiences and no authorized party': ({ claims }) =>
    (claims['aud'] = ['sallyport', 'somebody-else']),
  'several audiences and another authorized party': ({ claims }) =>
    Object.assign(claims, { aud: ['sallyport', 'somebody-else'], azp: 'somebody-else' }),
  'our audience and another authorized party': ({ claims }) => (claims['azp'] = 'somebody-else'),
  'another nonce': ({ claims }) => (claims['nonce'] = 'another'),
  'no nonce': ({ claims }) => delete claims['nonce'],
  'an expiry that is past': ({ claims }) => Object.assign(claims, { iat: 1_700_000_000, exp: 1_700_000_300 }),
  'no expiry': ({ claims }) => delete claims['exp'],
  'no subject': ({ claims }) => delete claims['sub'],
  'alg none': token => Object.assign(token, { header: { alg: 'none' }, sign: () => Buffer.alloc(0) }),
  'alg none in other letters': token =>
    Object.assign(token, { header: { alg: 'nOnE', kid: 'own' }, sign: () => Buffer.alloc(0) }),
  'HS256 with the public key as the secret': token =>
    Object.assign(token, {
      header: { alg: 'HS256', kid: 'own' },
      sign: (input: string) => createHmac('sha256', publicPem).update(input).digest(),
    }),
  'HS256 with the client secret': token =>
    Object.assign(token, {
      header: { alg: 'HS256' },
      sign: (input: string) => createHmac('sha256', 'a secret of the tests').update(input).digest(),
    }),
  'an unknown kid': token =>
    Object.assign(token, { header: { alg: 'RS256', kid: 'unknown' }, sign: rs256(foreign.privateKey) }),
  'the right kid and a wrong key': token => Object.assign(token, { sign: rs256(foreign.privateKey) }),
  'a key of its own in the header': token =>
    Object.assign(token, {
      header: { alg: 'RS256', kid: 'own', jwk: foreign.publicKey.export({ format: 'jwk' }) },
      sign: rs256(foreign.privateKey),
    }),
  'no signature': token => Object.assign(token, { sign: () => Buffer.alloc(0) }),
  'an unknown critical header': ({ header }) => Object.assign(header, { crit: ['exp'], exp: 1 }),
};

test('a good ID token makes a session: the forger is honest when not told otherwise', async t => {
  const { page, sessionCount } = await startForger(t, () => {});
  assert.equal(page.status, 200);
  assert.equal(await sessionCount(), 1);
});

for (const [what, forge] of Object.entries(FORGERIES)) {
  test(`an ID token with ${what} makes no session, user or grant`, async t => {
    const { page, sessionCount, users, grants, refusal, logged, events } = await startForger(
      t,
      token => void forge(token),
    );
    assert.equal(page.status, 400, page.text);
    assert.match(String(refusal()), /^(id_token_invalid|answer_invalid)$/);
    assert.deepEqual([await sessionCount(), (await users.list()).length, grants.length], [0, 0, 0]);
    for (const where of [page.text, logged.join(), JSON.stringify(events)]) {
      assert.ok(!/at-canary|mallory|alice@/.test(where), 'nothing of the answer is repeated');
    }
  });
}

test('userinfo of another subject makes no session', async t => {
  const { refusal, sessionCount } = await startForger(t, () => {}, { sub: 'alice', groups: ['ai-admins'] });
  assert.equal(refusal(), 'id_token_invalid');
  assert.equal(await sessionCount(), 0);
});

test("userinfo cannot overrule the ID token, nor vouch for the ID token's address", async t => {
  const userinfo = { sub: 'mallory', email: 'mallory@evil.example', email_verified: true, iss: 'x' };
  const { users } = await startForger(
    t,
    () => {},
    userinfo,
    async gateway => {
      await gateway.users.create({ email: 'alice@corp.example', name: 'made ahead by an admin' });
    },
  );
  const all = await users.list();
  assert.equal(all.length, 2, 'the account made ahead is not joined');
  assert.ok(all.every(user => user.email !== 'mallory@evil.example'));
});
