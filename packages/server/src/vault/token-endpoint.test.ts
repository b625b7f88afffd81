import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { allowInsecureRequests, ClientSecretPost, Configuration, customFetch } from 'openid-client';
import { createGuardedFetch } from '../platform/net-fetch.ts';
import { createTokenEndpoint, type RefreshAnswer } from './token-endpoint.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
const JWKS = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] };

type Answer = (res: ServerResponse, form: URLSearchParams, req: IncomingMessage) => void;

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  res =>
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

/** A provider that answers at its token endpoint as a test says. */
async function provider(t: TestContext, token: Answer, options: { timeout?: number } = {}) {
  const requests: { path: string; form: URLSearchParams }[] = [];
  const server = createServer(async (req, res) => {
    const body = await req.setEncoding('utf8').reduce((text: string, chunk: string) => text + chunk, '');
    const form = new URLSearchParams(body);
    requests.push({ path: req.url!, form });
    if (req.url === '/keys') return json(200, JWKS)(res, form, req);
    token(res, form, req);
  }).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const configuration = new Configuration(
    {
      issuer,
      token_endpoint: `${issuer}/token`,
      revocation_endpoint: `${issuer}/revoke`,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['ES256'],
    },
    'sallyport',
    {},
    ClientSecretPost('s3cret'),
  );
  allowInsecureRequests(configuration);
  const fetch = createGuardedFetch({ insecureHttp: false, privateAddresses: true });
  t.after(() => fetch[Symbol.asyncDispose]());
  configuration[customFetch] = (url, init) => fetch(url, init as RequestInit);
  const endpoint = createTokenEndpoint({
    configurationFor: async () => configuration,
    runtime: { now: () => NOW },
    ...options,
  });
  const idToken = (claims: Record<string, unknown>) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(issuer)
      .setAudience('sallyport')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  return {
    server,
    requests,
    idToken,
    refresh: async () => (await endpoint.open('corp')).refresh('refresh-canary', 'alice'),
    revoke: async () => (await endpoint.open('corp')).revoke('refresh-canary', 'refresh_token'),
  };
}

const TOKENS = { access_token: 'a2', refresh_token: 'r2', token_type: 'Bearer', expires_in: 300 };

test('a refresh token is redeemed by one request, and brings what the provider says', async t => {
  const { refresh, requests } = await provider(t, json(200, { ...TOKENS, scope: 'openid' }));
  const answer = await refresh();
  assert.ok(answer.kind === 'tokens');
  const { access_token, refresh_token, expires_in, scope } = answer.tokens;
  assert.deepEqual(
    { access_token, refresh_token, expires_in, scope },
    { access_token: 'a2', refresh_token: 'r2', expires_in: 300, scope: 'openid' },
  );
  assert.equal(requests.length, 1);
  assert.equal(requests[0]!.form.get('grant_type'), 'refresh_token');
  assert.equal(requests[0]!.form.get('refresh_token'), 'refresh-canary');
});

test('an answer without refresh token, expiry or scope is an answer', async t => {
  const { refresh } = await provider(t, json(200, { access_token: 'a2', token_type: 'bearer' }));
  const answer = await refresh();
  assert.ok(answer.kind === 'tokens');
  assert.equal(answer.tokens.refresh_token, undefined);
  assert.equal(answer.tokens.expires_in, undefined);
});

test('tokens of 70 KB come through whole', async t => {
  const large = 'x'.repeat(70_000);
  const { refresh } = await provider(t, json(200, { ...TOKENS, access_token: large }));
  const answer = await refresh();
  assert.ok(answer.kind === 'tokens');
  assert.equal(answer.tokens.access_token, large);
});

for (const [said, answer] of [
  ['400 invalid_grant', json(400, { error: 'invalid_grant', error_description: 'gone' })],
  ['401 invalid_grant', json(401, { error: 'invalid_grant' })],
  ['200 bad_refresh_token, as GitHub says it', json(200, { error: 'bad_refresh_token' })],
] as const) {
  test(`${said}: the refresh token is no longer good`, async t => {
    const { refresh, requests } = await provider(t, answer);
    assert.deepEqual(await refresh(), { kind: 'invalid_grant' });
    assert.equal(requests.length, 1);
  });
}

const html: (status: number) => Answer = status => res =>
  res.writeHead(status, { 'content-type': 'text/html' }).end('<html>invalid_grant canary</html>');

for (const [said, answer, reason] of [
  ['408', json(408, {}), 'status_408'],
  ['429', json(429, { error: 'slow_down' }), 'status_429'],
  ['429 that speaks of invalid_grant', json(429, { error: 'invalid_grant' }), 'status_429'],
  ['500', json(500, { error: 'server_error' }), 'status_500'],
  ['500 that speaks of invalid_grant', json(500, { error: 'invalid_grant' }), 'status_500'],
  ['502 in HTML', html(502), 'status_502'],
  ['503', json(503, {}), 'status_503'],
  ['400 in HTML', html(400), 'status_400'],
  ['200 in HTML', html(200), 'not_a_token_response'],
  [
    '200 with JSON cut off',
    res => res.writeHead(200).end('{"access_token":"a2","ref'),
    'not_a_token_response',
  ],
  ['200 without a token', json(200, { token_type: 'Bearer' }), 'not_a_token_response'],
  ['200 with a list', json(200, []), 'not_a_token_response'],
  ['401 invalid_client', json(401, { error: 'invalid_client' }), 'invalid_client'],
  ['400 unauthorized_client', json(400, { error: 'unauthorized_client' }), 'unauthorized_client'],
  ['400 invalid_scope', json(400, { error: 'invalid_scope' }), 'invalid_scope'],
  ['400 with words as its error', json(400, { error: 'canary <b>' }), 'status_400'],
  ['302 to elsewhere', res => res.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(), 'status_302'],
] satisfies [string, Answer, string][]) {
  test(`${said}: nothing is said about the grant, and nothing is asked again`, async t => {
    const { refresh, requests } = await provider(t, answer);
    assert.deepEqual(await refresh(), { kind: 'transient', reason, retryAfter: null, underway: false });
    assert.equal(requests.length, 1);
  });
}

for (const [value, wait] of [
  ['7', 7_000],
  [new Date(NOW + 90_000).toUTCString(), 90_000],
  [new Date(NOW - 90_000).toUTCString(), 0],
  ['99999999', 3_600_000],
  ['soon', null],
] as const) {
  test(`Retry-After: ${value} is understood as ${wait} ms`, async t => {
    const { refresh } = await provider(t, json(429, {}, { 'retry-after': value }));
    const answer = await refresh();
    assert.ok(answer.kind === 'transient');
    assert.equal(answer.retryAfter, wait);
  });
}

const lost = (answer: RefreshAnswer) => {
  assert.ok(answer.kind === 'transient');
  assert.ok(!JSON.stringify(answer).includes('canary'));
  return answer;
};

test('a connection that is cut before, or within, the answer is no answer', async t => {
  for (const cut of [
    (res => res.destroy()) as Answer,
    (res => {
      res.writeHead(200, { 'content-length': '1000' });
      res.write('{"access_token":"canary"');
      setImmediate(() => res.destroy());
    }) as Answer,
  ]) {
    const { refresh, requests } = await provider(t, cut);
    lost(await refresh());
    assert.equal(requests.length, 1);
  }
});

test('a provider that is not there was sent nothing', async t => {
  const { refresh, server } = await provider(t, json(200, TOKENS));
  server.close();
  await new Promise(resolve => server.once('close', resolve));
  assert.equal(lost(await refresh()).underway, false);
});

test('a provider that stays silent is left after the timeout, and may be at it still', async t => {
  const { refresh, requests } = await provider(t, () => {}, { timeout: 50 });
  assert.deepEqual(await refresh(), {
    kind: 'transient',
    reason: 'no_answer',
    retryAfter: null,
    underway: true,
  });
  assert.equal(requests.length, 1);
});

test('a provider that falls silent within its answer is left after the timeout', async t => {
  const { refresh } = await provider(t, res => void res.writeHead(200).write('{"access_token":"canary"'), {
    timeout: 50,
  });
  assert.equal(lost(await refresh()).underway, true);
});

test('an ID token that is about somebody else makes the answer none (OIDC Core section 12.2)', async t => {
  const tokens: Record<string, unknown> = { ...TOKENS };
  const { refresh, idToken } = await provider(t, res =>
    json(200, tokens)(res, new URLSearchParams(), res.req),
  );
  tokens['id_token'] = await idToken({ sub: 'alice' });
  const good = await refresh();
  assert.ok(good.kind === 'tokens');
  assert.equal(good.tokens.id_token, tokens['id_token']);
  tokens['id_token'] = await idToken({ sub: 'mallory' });
  assert.equal(lost(await refresh()).reason, 'other_subject');
});

test('an ID token that cannot be verified is dropped, and the rotated refresh token is kept', async t => {
  for (const forged of ['nonsense', 'a.b.c', `${btoa('{"alg":"none"}')}.e30.`]) {
    const { refresh } = await provider(t, json(200, { ...TOKENS, id_token: forged }));
    assert.deepEqual(await refresh(), {
      kind: 'tokens',
      tokens: { access_token: 'a2', refresh_token: 'r2', expires_in: 300 },
    });
  }
});

test('a revocation names the token and its kind (RFC 7009 section 2.1), and a refusal is told', async t => {
  let status = 200;
  const { revoke, requests } = await provider(t, res => res.writeHead(status).end());
  await revoke();
  const { path, form } = requests.at(-1)!;
  assert.deepEqual(
    [path, form.get('token'), form.get('token_type_hint')],
    ['/revoke', 'refresh-canary', 'refresh_token'],
  );
  status = 503;
  await assert.rejects(revoke());
});
