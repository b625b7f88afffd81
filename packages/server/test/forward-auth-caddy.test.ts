import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createBrowser } from './fixtures/browser.ts';
import { skip, startCaddy } from './fixtures/caddy.ts';
import { adapted, snippet } from './fixtures/docs.ts';
import { PROXY_SECRET, startCheckedHouse } from './fixtures/forward-auth.ts';
import { freePort } from './fixtures/ports.ts';

/** The application behind Caddy at another port of the gateway's host, by the text of docs/forward-auth.md. */
async function behindCaddy(t: TestContext) {
  const house = await startCheckedHouse(t);
  const port = await freePort();
  const caddyfile = adapted(snippet('forward-auth.md', 'caddyfile application'), {
    'gateway.example:8443': `http://localhost:${port}`,
    '127.0.0.1:8080': `127.0.0.1:${house.gateway.port}`,
    '127.0.0.1:9000': new URL(house.upstream.url).host,
    'corp-tools': 'tools',
  });
  await startCaddy(t, { caddyfile, port, env: { FORWARD_AUTH_SECRET: PROXY_SECRET } });
  return { ...house, app: `http://localhost:${port}` };
}

test('behind Caddy as documented, a person is sent to sign in, and the application gets their token and nothing they wrote themselves', {
  skip,
}, async t => {
  const { app, gateway, provider, upstream, signIn, accessTokens } = await behindCaddy(t);
  const stranger = await createBrowser().once(`${app}/first?a=b`);
  const back = `/auth/return?to=${encodeURIComponent(`${app}/first?a=b`)}`;
  assert.equal(stranger.status, 303);
  const login = new URL(stranger.headers.get('location')!);
  assert.deepEqual([login.origin, login.searchParams.get('return_to')], [gateway.url, back]);
  const browser = createBrowser();
  const returned = await provider.signIn(
    browser,
    `${gateway.url}/auth/corp/login?return_to=${encodeURIComponent(back)}`,
  );
  assert.deepEqual([returned.url, returned.status], [`${app}/first?a=b`, 200]);

  const headers = {
    'x-auth-email': 'root@corp.example',
    'x-auth-groups': 'ai-admins',
    'x-forwarded-method': 'GET',
  };
  const page = await browser.once(`${app}/second`, { headers });
  assert.equal(page.status, 200);
  assert.equal(page.headers.get('authorization'), null);
  const arrived = upstream.requests.at(-1)!;
  assert.equal(arrived.headers.authorization, `Bearer ${accessTokens[0]}`);
  assert.equal(arrived.headers['x-auth-email'], 'alice@corp.example');
  assert.equal(arrived.headers['x-auth-groups']?.includes('ai-admins'), false);
  assert.equal(arrived.headers.cookie, undefined);
  assert.ok(!JSON.stringify(arrived).includes(PROXY_SECRET));

  const { cookie } = await signIn('mallory');
  const ask = (path: string, init: RequestInit) => fetch(app + path, { redirect: 'manual', ...init });
  assert.equal((await ask('/x', { headers: { cookie } })).status, 403);
  assert.equal((await ask('/x', {})).status, 401);
  const alice = await signIn('alice');
  const foreign = { cookie: alice.cookie, origin: 'http://evil.example', 'x-forwarded-method': 'GET' };
  assert.equal((await ask('/act', { method: 'POST', headers: foreign })).status, 403);
});
