import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { createBrowser } from './fixtures/browser.ts';
import { eventually } from './fixtures/data-plane.ts';
import { adapted, snippet } from './fixtures/docs.ts';
import { PROXY_SECRET, startCheckedHouse } from './fixtures/forward-auth.ts';
import { skip, startNginx } from './fixtures/nginx.ts';
import { freePort } from './fixtures/ports.ts';
import type { ProviderOptions } from './fixtures/provider.ts';

/** The application behind nginx at another port of the gateway's host, by the text of docs/forward-auth.md. */
async function behindNginx(
  t: TestContext,
  more: Record<string, string> = {},
  provider: ProviderOptions = {},
) {
  const house = await startCheckedHouse(t, { provider });
  const port = await freePort();
  const server = adapted(snippet('forward-auth.md', 'nginx server'), {
    'listen 8443 ssl;': `listen 127.0.0.1:${port};`,
    'server_name gateway.example;': 'server_name localhost;',
    'ssl_certificate /etc/ssl/gateway.example.pem;': '',
    'ssl_certificate_key /etc/ssl/gateway.example.key;': '',
    'include /etc/nginx/sallyport-secret.conf;': 'include FOLDER/sallyport-secret.conf;',
    '127.0.0.1:8080': `127.0.0.1:${house.gateway.port}`,
    'http://127.0.0.1:9000': house.upstream.url,
    'corp-tools': 'tools',
    ...more,
  });
  const secret = adapted(snippet('forward-auth.md', 'nginx secret'), { '<the secret>': PROXY_SECRET });
  await startNginx(t, {
    http: `${snippet('forward-auth.md', 'nginx http')}\n${server}`,
    ports: [port],
    files: { 'sallyport-secret.conf': secret },
  });
  const app = `http://localhost:${port}`;
  /** What came to the application with this path. */
  const seen = (path: string) => house.upstream.requests.filter(({ url }) => url === path);
  return { ...house, app, seen };
}

test('a browser is sent to sign in, comes back to where it was, and the application gets its own token and no cookie of ours', {
  skip,
}, async t => {
  const { app, seen, provider, accessTokens, gateway } = await behindNginx(t);
  const browser = createBrowser();
  const page = await provider.signIn(browser, `${app}/first?a=b&c=%20d`, 'alice');
  // The console's page offers the provider; a person presses its button.
  assert.ok(page.trail[1]!.startsWith(`${gateway.url}/auth/login?return_to=`), page.trail.join('\n'));
  const returnTo = new URL(page.url).searchParams.get('return_to')!;
  const back = await provider.signIn(
    browser,
    `${gateway.url}/auth/corp/login?return_to=${encodeURIComponent(returnTo)}`,
    'alice',
  );
  assert.equal(back.url, `${app}/first?a=b&c=%20d`);
  assert.equal(back.status, 200);

  const [arrived] = seen('/first?a=b&c=%20d');
  assert.equal(arrived!.headers.authorization, `Bearer ${accessTokens[0]}`);
  assert.equal(arrived!.headers.cookie, undefined);
  assert.equal(arrived!.headers['x-auth-email'], 'alice@corp.example');
  assert.equal(decodeURIComponent(String(arrived!.headers['x-auth-name'])), 'Alice Möller, Dr.');
  assert.ok(!JSON.stringify(arrived).includes(PROXY_SECRET));
  assert.ok(!JSON.stringify(arrived).includes(browser.cookie(gateway.url, 'oauth_session_id')!));
});

test('the token is in nothing that a client gets, whatever it asks nginx for', { skip }, async t => {
  const { app, signIn, upstream, accessTokens } = await behindNginx(t);
  const { browser } = await signIn('alice');
  upstream.intercept = (_req, res) => {
    res.end('fine');
    return true;
  };
  for (const path of [
    '/',
    '/_sallyport',
    '/_sallyport?upstream=tools',
    '/auth/check?upstream=tools',
    '/@sallyport_sign_in',
  ]) {
    const page = await browser.once(app + path);
    const all = page.text + JSON.stringify([...page.headers]);
    assert.ok(!all.includes(accessTokens[0]!), path);
    assert.equal(page.headers.get('x-auth-user-id'), null);
    if (path.startsWith('/_sallyport')) assert.equal(page.status, 404);
  }
});

test('an attacker in the browser gets nothing by writing the headers itself', { skip }, async t => {
  const { app, signIn, seen, accessTokens } = await behindNginx(t);
  const { browser } = await signIn('alice');
  const headers = {
    'x-sallyport-proxy-secret': 'guessed',
    'x-auth-user-id': 'root',
    'x-auth-email': 'root@corp.example',
    'x-auth-name': 'root',
    'x-auth-groups': 'ai-admins',
    'x-original-method': 'POST',
    'x-forwarded-method': 'DELETE',
    'x-original-url': 'http://evil.example/',
    'x-forwarded-for': '10.0.0.1',
  };
  assert.equal((await browser.once(`${app}/spoofed`, { headers })).status, 200);
  const [arrived] = seen('/spoofed');
  assert.equal(arrived!.headers.authorization, `Bearer ${accessTokens[0]}`);
  assert.equal(arrived!.headers['x-auth-email'], 'alice@corp.example');
  assert.equal(arrived!.headers['x-auth-groups']?.includes('ai-admins'), false);
  assert.equal(arrived!.headers['x-sallyport-proxy-secret'], undefined);
});

test('who may not is 403, a program without a credential 401 and no redirect, a page of another site 403', {
  skip,
}, async t => {
  const { app, signIn, upstream } = await behindNginx(t);
  const { browser: mallory } = await signIn('mallory');
  assert.equal((await mallory.get(`${app}/x`)).status, 403);
  const program = await fetch(`${app}/x`, { redirect: 'manual' });
  assert.deepEqual([program.status, program.headers.get('location')], [401, null]);
  const { cookie } = await signIn('alice');
  const post = async (origin: string) =>
    (await fetch(`${app}/act`, { method: 'POST', body: 'hello', headers: { cookie, origin } })).status;
  assert.equal(await post('http://localhost:1'), 403);
  assert.equal(upstream.requests.length, 0);
  assert.equal(await post(app), 200);
  assert.equal(upstream.requests[0]!.body, 'hello');
});

test('a program with a gateway key acts with the token of its user, and the key stays here', {
  skip,
}, async t => {
  const { app, signIn, seen, gateway, accessTokens } = await behindNginx(t);
  await signIn('alice');
  const { stdout } = await gateway.command('keys', 'create', '--user', 'alice@corp.example');
  const authorization = `Bearer ${/sp_[\w-]+/.exec(stdout)![0]}`;
  assert.equal((await fetch(`${app}/program`, { headers: { authorization } })).status, 200);
  assert.equal(seen('/program')[0]!.headers.authorization, `Bearer ${accessTokens[0]}`);
});

test('a session that is revoked is refused within five seconds, also when it was used just before', {
  skip,
}, async t => {
  const { app, signIn, gateway } = await behindNginx(t);
  const { browser, cookie } = await signIn('alice');
  assert.equal((await browser.once(`${app}/x`)).status, 200);
  const { items } = (await (
    await fetch(`${gateway.url}/api/v1/sessions`, { headers: { cookie } })
  ).json()) as { items: { id: string }[] };
  const ended = await fetch(`${gateway.url}/api/v1/sessions/${items[0]!.id}`, {
    method: 'DELETE',
    headers: { cookie, origin: gateway.url },
  });
  assert.equal(ended.status, 204);
  let status = 200;
  for (const start = Date.now(); status === 200 && Date.now() - start < 5_000; )
    status = (await fetch(`${app}/x`, { headers: { cookie }, redirect: 'manual' })).status;
  assert.equal(status, 401);
});

test('an application with cookies of its own gets those, and of ours none, however they are written', {
  skip,
}, async t => {
  const { app, signIn, seen } = await behindNginx(t, {
    'proxy_set_header Cookie "";': 'proxy_set_header Cookie $cookies_for_application;',
  });
  const { cookie } = await signIn('alice');
  const cases: [sent: string, arrives: string | undefined][] = [
    [cookie, undefined],
    [`a=b; ${cookie}; c=d`, 'a=b; c=d'],
    [`${cookie}; c=d`, 'c=d'],
    [`sallyport_sign_in=x; ${cookie}`, undefined],
    [`a=1; sallyport_sign_in=x; b=2; ${cookie}`, 'a=1; b=2;'],
    // Two: one of them might be somebody's. Neither goes on, and nothing else either.
    [`${cookie}; oauth_session_id=other; c=d`, undefined],
  ];
  for (const [n, [sent, arrives]] of cases.entries()) {
    assert.equal((await fetch(`${app}/cookies-${n}`, { headers: { cookie: sent } })).status, 200, sent);
    assert.equal(seen(`/cookies-${n}`)[0]!.headers.cookie, arrives, sent);
  }
});

test('tokens and groups of 64 KB fit, and events arrive one by one', { skip }, async t => {
  const { app, signIn, upstream, accessTokens } = await behindNginx(t, {}, { groups: 1_000 });
  const { cookie } = await signIn('alice');
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    return true;
  };
  const req = request(`${app}/events`, { headers: { cookie } }).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(String((await once(res, 'data'))[0]), 'data: 1\n\n');
  const [{ headers }] = upstream.requests as [(typeof upstream.requests)[0]];
  assert.equal(headers.authorization, `Bearer ${accessTokens[0]}`);
  assert.ok(accessTokens[0]!.length > 50_000);
  assert.ok(String(headers['x-auth-groups']).split(',').length > 1_000);
  res.destroy();
  await eventually(() => upstream.busy === 0);
});
