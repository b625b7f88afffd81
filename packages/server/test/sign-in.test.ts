import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrowser } from './fixtures/browser.ts';
import { corpGround, who } from './fixtures/sign-in.ts';

test('a person signs in and is known by the session cookie, and lands where they wanted to go', async t => {
  const { provider, browser, login, url, grants, events } = await corpGround(t);
  const page = await provider.signIn(
    browser,
    `${login}?return_to=${encodeURIComponent('/settings?tab=keys')}`,
  );
  assert.equal(page.url, `${url}/settings?tab=keys`);
  assert.deepEqual(
    [who(page).email, who(page).groups, who(page).admin],
    ['alice@corp.example', ['engineering'], false],
  );
  assert.deepEqual(Object.keys(grants[0]!.tokens).sort(), [
    'access_token',
    'expires_in',
    'id_token',
    'refresh_token',
    'scope',
  ]);
  assert.equal(grants[0]!.subject, 'alice');
  assert.ok(events.some(event => event.action === 'session.begin' && event.userId === who(page).userId));
  const again = await browser.get(`${url}/`);
  assert.equal(who(again).userId, who(page).userId);
});

test('the same person has the same account and a new session id at each sign-in; the browser’s old session is over', async t => {
  const { provider, browser, login, url, sessionCount } = await corpGround(t);
  const first = await provider.signIn(browser, login);
  const cookie = browser.cookie(url, 'oauth_session_id');
  const second = await provider.signIn(browser, login);
  assert.equal(who(first).userId, who(second).userId);
  assert.notEqual(browser.cookie(url, 'oauth_session_id'), cookie);
  assert.equal(await sessionCount(), 1);
});

test('form_post: the answer comes without the login cookie, and the code is never in a URL', async t => {
  const { provider, browser, login, url } = await corpGround(t, {}, { responseMode: 'form_post' });
  const page = await provider.signIn(browser, login);
  assert.equal(who(page).email, 'alice@corp.example');
  assert.ok(page.trail.includes(`POST ${url}/auth/corp/callback`));
  assert.ok(
    page.trail.every(step => !step.includes('code=')),
    page.trail.join('\n'),
  );
});

test('sign-in under /oauth returns to /oauth', async t => {
  const { provider, browser, url } = await corpGround(t);
  const page = await provider.signIn(browser, `${url}/oauth/corp/login`);
  assert.equal(who(page).email, 'alice@corp.example');
  assert.ok(page.trail.some(step => step.startsWith(`${url}/oauth/corp/callback?`)));
  assert.ok(page.trail[0]!.startsWith(`${url}/oauth/`));
});

test('tokens of 64 KB work end to end, and the cookie stays under 100 bytes', async t => {
  const { provider, browser, login, url, grants } = await corpGround(
    t,
    { groups: 1_000, accessToken: 'jwt' },
    { responseMode: 'form_post' },
  );
  const page = await provider.signIn(browser, login);
  assert.equal(who(page).groups.length, 1_001);
  assert.ok(grants[0]!.tokens.access_token.length > 64_000);
  assert.ok(grants[0]!.tokens.id_token!.length > 64_000);
  assert.ok('__Host-oauth_session_id='.length + browser.cookie(url, 'oauth_session_id')!.length < 100);
});

test('what the ID token leaves out is read from userinfo', async t => {
  const { provider, browser, login } = await corpGround(
    t,
    { claimsInUserinfoOnly: true },
    { admins: { claim: 'groups', has: ['engineering'] } },
  );
  const page = await provider.signIn(browser, login);
  assert.deepEqual(
    [who(page).email, who(page).groups, who(page).admin],
    ['alice@corp.example', ['engineering'], true],
  );
});

test('admins and those allowed in are who the claims say, at each sign-in anew', async t => {
  const accounts: Record<string, { groups: string[] }> = {
    alice: { groups: ['staff', 'ai-admins'] },
    bob: { groups: ['staff'] },
    eve: { groups: [] },
  };
  const { provider, login, refusal, sessionCount } = await corpGround(
    t,
    { accounts },
    { admins: { claim: 'groups', has: ['ai-admins'] }, allow: { claim: 'groups', has: ['staff'] } },
  );
  assert.equal(who(await provider.signIn(createBrowser(), login, 'alice')).admin, true);
  assert.equal(who(await provider.signIn(createBrowser(), login, 'bob')).admin, false);
  const eve = await provider.signIn(createBrowser(), login, 'eve');
  assert.equal(eve.status, 403);
  assert.match(eve.text, /not allowed/);
  assert.equal(refusal(), 'not_allowed');
  assert.equal(await sessionCount(), 2);
  accounts['alice']!.groups = ['staff'];
  assert.equal(who(await provider.signIn(createBrowser(), login, 'alice')).admin, false);
});

test('a disabled user gets no session', async t => {
  const { provider, browser, login, users, refusal, sessionCount, grants } = await corpGround(t);
  const { userId } = who(await provider.signIn(browser, login));
  await users.setDisabled(userId!, true);
  const page = await provider.signIn(createBrowser(), login);
  assert.equal(page.status, 403);
  assert.equal(refusal(), 'user_disabled');
  assert.equal(await sessionCount(), 1);
  assert.equal(grants.length, 1);
});

test('no token, code, state or cookie reaches the log, the audit or the database in the clear', async t => {
  const { provider, browser, login, url, grants, logged, events, db } = await corpGround(
    t,
    {},
    { responseMode: 'form_post' },
  );
  const page = await provider.signIn(browser, login);
  const state = new URL(page.trail[1]!).searchParams.get('state')!;
  const secrets = [
    state,
    browser.cookie(url, 'oauth_session_id')!,
    browser.cookie(url, 'sallyport_sign_in')!,
  ];
  for (const value of Object.values(grants[0]!.tokens))
    if (String(value).length > 40 && !String(value).includes(' ')) secrets.push(String(value));
  const tables = await Promise.all([
    db.selectFrom('sessions').selectAll().execute(),
    db.selectFrom('sign_ins').selectAll().execute(),
  ]);
  const everything = logged.join() + JSON.stringify(events) + JSON.stringify(tables);
  assert.equal(secrets.length, 6);
  for (const secret of secrets) assert.ok(!everything.includes(secret));
});

test('the sign-in page lists the providers, escaped, and passes the return path on', async t => {
  const { url, browser } = await corpGround(t, {}, { name: '<b>Corp & Co</b>' });
  const page = await browser.get(`${url}/auth/login?return_to=${encodeURIComponent('/a?b="c"')}`);
  assert.match(page.text, /Continue with &lt;b&gt;Corp &amp; Co&lt;\/b&gt;/);
  assert.match(page.text, /href="\/auth\/corp\/login\?return_to=%2Fa%3Fb%3D%2522c%2522"/);
  assert.ok(!/<script|<style|style=/.test(page.text));
  assert.equal((await browser.get(`${url}/auth/nobody/login`)).status, 404);
});

test('a provider that is away is a page that says so, and sign-in works once it is back', async t => {
  const { provider, browser, login, runtime } = await corpGround(t);
  provider.intercept = (_req, res) => {
    res.writeHead(503).end();
    return true;
  };
  const page = await browser.get(login, { accept: 'text/html' });
  assert.equal(page.status, 502);
  assert.match(page.text, /Try again/);
  provider.intercept = null;
  runtime.ahead = 2_000;
  assert.equal((await provider.signIn(browser, login)).status, 200);
});

test('who opens this machine under its other name still signs in', async t => {
  const { provider, browser, login, url } = await corpGround(t);
  const page = await provider.signIn(browser, `${login.replace('localhost', '127.0.0.1')}?return_to=/there`);
  assert.equal(page.url, `${url}/there`);
  assert.equal(who(page).email, 'alice@corp.example');
});
