import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { createBrowser } from './fixtures/browser.ts';
import { signingKey, startProvider } from './fixtures/provider.ts';
import { providerAt, signInGround } from './fixtures/sign-in.ts';

async function ground(t: TestContext) {
  const provider = await startProvider();
  t.after(() => provider.close());
  const gateway = await signInGround(t, [providerAt(provider.issuer, { secret: provider.clientSecret })]);
  const browser = createBrowser();
  const login = `${gateway.url}/auth/corp/login`;
  return { ...gateway, provider, browser, login, uri: `${gateway.url}/auth/corp/backchannel-logout` };
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

test('signing out ends the session, its grant and the provider’s session, and comes back to the sign-in page', async t => {
  const { provider, browser, login, url, sessionCount, endedGrants, events, notices } = await ground(t);
  await provider.signIn(browser, login);
  const cookie = browser.cookie(url, 'oauth_session_id')!;
  const page = await browser.post(`${url}/auth/logout`, {});
  assert.equal(page.url, `${url}/auth/login`);
  assert.deepEqual([await sessionCount(), endedGrants, provider.logouts], [0, ['grt_0'], 1]);
  assert.equal(browser.cookie(url, 'oauth_session_id'), undefined);
  assert.ok(events.some(event => event.action === 'session.end'));
  assert.ok(notices.some(notice => notice.topic === 'session-ended'));
  browser.setCookie(url, 'oauth_session_id', cookie);
  assert.equal((await browser.post(`${url}/auth/logout`, {})).status, 401, 'the old cookie is worth nothing');
});

test('the URL of the provider’s sign-out holds no token', async t => {
  const { provider, browser, login, url, grants } = await ground(t);
  await provider.signIn(browser, login);
  const { headers } = await browser.once(`${url}/auth/logout`, { method: 'POST', from: url });
  const location = new URL(headers.get('location')!);
  assert.deepEqual([...location.searchParams.keys()].sort(), ['client_id', 'post_logout_redirect_uri']);
  for (const token of Object.values(grants[0]!.tokens)) assert.ok(!location.href.includes(String(token)));
});

test('a script that signs out is told where to go on', async t => {
  const { provider, browser, login, url } = await ground(t);
  await provider.signIn(browser, login);
  const answer = await browser.once(`${url}/auth/logout`, {
    method: 'POST',
    from: url,
    headers: { accept: 'application/json' },
  });
  assert.equal(answer.status, 200);
  assert.ok(JSON.parse(answer.text).redirect.startsWith(provider.issuer));
});

test('signing out works while the provider is away', async t => {
  const { provider, browser, login, url, sessionCount, runtime } = await ground(t);
  await provider.signIn(browser, login);
  runtime.ahead = 2 * 3_600_000;
  provider.intercept = (_req, res) => {
    res.destroy();
    return true;
  };
  const { status } = await browser.once(`${url}/auth/logout`, { method: 'POST', from: url });
  assert.equal(status, 303);
  assert.equal(await sessionCount(), 0);
});

test('back-channel logout of one provider session ends that one here, at once, and no other', async t => {
  const { provider, browser, login, url, uri, sessionCount, sessions } = await ground(t);
  await provider.signIn(browser, login);
  const other = createBrowser();
  await provider.signIn(other, login);
  const cookies = `oauth_session_id=${browser.cookie(url, 'oauth_session_id')}`;
  assert.ok(await sessions.lookup(cookies), 'warm');
  assert.equal(await provider.backchannelLogout(uri, 'alice', provider.sids[0]), 200);
  assert.equal(await sessionCount(), 1);
  assert.equal(await sessions.lookup(cookies), null, 'the cache knows at once');
  assert.match((await other.get(url)).text, /alice/);
});

test('back-channel logout of a subject ends all of that person’s sessions and nobody else’s', async t => {
  const { provider, login, url, uri, sessionCount } = await ground(t);
  const bob = createBrowser();
  for (const [browser, who] of [
    [createBrowser(), 'alice'],
    [createBrowser(), 'alice'],
    [bob, 'bob'],
  ] as const)
    await provider.signIn(browser, login, who);
  assert.equal(await provider.backchannelLogout(uri, 'alice'), 200);
  assert.equal(await sessionCount(), 1);
  assert.match((await bob.get(url)).text, /bob/);
});

/** What the real provider would send, to be spoiled. */
function logoutToken(
  issuer: string,
  change: (token: { header: Record<string, unknown>; claims: Record<string, unknown> }) => void,
  key = signingKey(),
): string {
  const now = Math.floor(Date.now() / 1000);
  const token = {
    header: { alg: 'RS256', kid: 'test-key', typ: 'logout+jwt' } as Record<string, unknown>,
    claims: {
      iss: issuer,
      aud: 'sallyport',
      iat: now,
      exp: now + 120,
      jti: crypto.randomUUID(),
      sub: 'alice',
      events: { [EVENT]: {} },
    } as Record<string, unknown>,
  };
  change(token);
  const input = [token.header, token.claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature =
    token.header['alg'] === 'none'
      ? Buffer.alloc(0)
      : token.header['alg'] === 'HS256'
        ? createHmac('sha256', 'a secret of the tests').update(input).digest()
        : sign('sha256', Buffer.from(input), key);
  return `${input}.${signature.toString('base64url')}`;
}

test('a logout token that is not one for us, now, ends nothing', async t => {
  const { provider, browser, login, uri, sessionCount } = await ground(t);
  await provider.signIn(browser, login);
  const send = async (logout_token: string) => {
    const response = await fetch(uri, { method: 'POST', body: new URLSearchParams({ logout_token }) });
    assert.equal(response.headers.get('cache-control'), 'no-store');
    return response.status;
  };
  const spoiled: Record<string, Parameters<typeof logoutToken>[1]> = {
    'another issuer': ({ claims }) => (claims['iss'] = 'https://evil.example'),
    'another audience': ({ claims }) => (claims['aud'] = 'somebody-else'),
    expired: ({ claims }) => Object.assign(claims, { iat: 1_700_000_000, exp: 1_700_000_120 }),
    'issued long ago': ({ claims }) => (claims['iat'] = 1_700_000_000),
    'no iat': ({ claims }) => delete claims['iat'],
    'no exp': ({ claims }) => delete claims['exp'],
    'no jti': ({ claims }) => delete claims['jti'],
    'no events': ({ claims }) => delete claims['events'],
    'another event': ({ claims }) => (claims['events'] = { 'https://evil.example': {} }),
    'an event that is no object': ({ claims }) => (claims['events'] = { [EVENT]: true }),
    'a nonce': ({ claims }) => (claims['nonce'] = 'n'),
    'nobody named': ({ claims }) => delete claims['sub'],
    'alg none': ({ header }) => (header['alg'] = 'none'),
    'alg HS256': ({ header }) => (header['alg'] = 'HS256'),
    'an unknown kid': ({ header }) => (header['kid'] = 'unknown'),
  };
  for (const [what, change] of Object.entries(spoiled))
    assert.equal(await send(logoutToken(provider.issuer, token => void change(token))), 400, what);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  assert.equal(await send(logoutToken(provider.issuer, () => {}, privateKey)), 400, 'a wrong key');
  assert.equal(await send('not a token'), 400);
  assert.equal((await fetch(uri, { method: 'POST' })).status, 400);
  assert.equal(await sessionCount(), 1);

  const good = logoutToken(provider.issuer, () => {});
  assert.equal(await send(good), 200);
  assert.equal(await sessionCount(), 0);
  await provider.signIn(browser, login);
  assert.equal(await send(good), 400, 'a replay');
  assert.equal(await sessionCount(), 1);
});

test('a logout token ends no session that began after it was issued, whichever replica it is replayed to', async t => {
  const { provider, browser, login, uri, sessionCount, runtime } = await ground(t);
  const token = logoutToken(provider.issuer, () => {});
  runtime.ahead = 45_000;
  await provider.signIn(browser, login);
  assert.equal(
    (await fetch(uri, { method: 'POST', body: new URLSearchParams({ logout_token: token }) })).status,
    200,
  );
  assert.equal(await sessionCount(), 1);
});

test('a logout token at an unknown provider, or while keys cannot be had, is not accepted', async t => {
  const { provider, url, uri } = await ground(t);
  const form = () => ({
    method: 'POST',
    body: new URLSearchParams({ logout_token: logoutToken(provider.issuer, () => {}) }),
  });
  assert.equal((await fetch(`${url}/auth/nobody/backchannel-logout`, form())).status, 400);
  provider.intercept = (req, res) => {
    if (req.url !== '/jwks') return false;
    res.writeHead(503).end();
    return true;
  };
  assert.equal((await fetch(uri, form())).status, 502);
});
