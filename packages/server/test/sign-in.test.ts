import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Provider } from '../src/terms/provider.ts';
import { createBrowser, type Page } from './fixtures/browser.ts';
import { type ProviderOptions, startProvider } from './fixtures/provider.ts';
import { providerAt, signInGround } from './fixtures/sign-in.ts';

async function ground(t: TestContext, options: ProviderOptions = {}, more: Partial<Provider> = {}) {
  const provider = await startProvider(options);
  t.after(() => provider.close());
  const corp = providerAt(provider.issuer, { secret: provider.clientSecret, ...more });
  const gateway = await signInGround(t, [corp]);
  return { ...gateway, provider, browser: createBrowser(), login: `${gateway.url}/auth/corp/login` };
}

const who = (page: Page) =>
  JSON.parse(page.text) as { userId: string | null; email: string; groups: string[]; admin: boolean };

/** The last URL on the way that is the gateway's callback. */
const callbackOf = (page: Page, url: string) =>
  page.trail.findLast(step => step.startsWith(`${url}/auth/corp/callback`))!;

test('a person signs in and is known by the session cookie, and lands where they wanted to go', async t => {
  const { provider, browser, login, url, grants, events } = await ground(t);
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
  const { provider, browser, login, url, sessionCount } = await ground(t);
  const first = await provider.signIn(browser, login);
  const cookie = browser.cookie(url, 'oauth_session_id');
  const second = await provider.signIn(browser, login);
  assert.equal(who(first).userId, who(second).userId);
  assert.notEqual(browser.cookie(url, 'oauth_session_id'), cookie);
  assert.equal(await sessionCount(), 1);
});

test('form_post: the answer comes without the login cookie, and the code is never in a URL', async t => {
  const { provider, browser, login, url } = await ground(t, {}, { responseMode: 'form_post' });
  const page = await provider.signIn(browser, login);
  assert.equal(who(page).email, 'alice@corp.example');
  assert.ok(page.trail.includes(`POST ${url}/auth/corp/callback`));
  assert.ok(
    page.trail.every(step => !step.includes('code=')),
    page.trail.join('\n'),
  );
});

test('form_post: an answer that another browser fetches signs nobody in, and its own browser still can', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await ground(
    t,
    {},
    { responseMode: 'form_post' },
  );
  const stopped = await stopAtCallback(t, url, provider, browser, login);
  const kept = await browser.once(`${url}/auth/corp/callback`, {
    method: 'POST',
    form: stopped,
    from: provider.issuer,
  });
  assert.equal(kept.status, 303);
  const answer = new URL(kept.headers.get('location')!, url).href;
  assert.match(answer, /\?answer=[\w-]{43}$/);
  const thief = createBrowser();
  assert.equal((await thief.get(answer)).status, 400);
  assert.equal(refusal(), 'other_browser');
  await thief.get(login).catch(() => {});
  assert.equal((await thief.get(answer)).status, 400);
  assert.equal(await sessionCount(), 1, 'the thief’s own sign-in only');
  assert.equal(who(await browser.get(answer)).email, 'alice@corp.example');
  assert.equal((await browser.get(answer)).status, 400);
  assert.equal(refusal(), 'state_used');
});

test('form_post: a second answer to one state is refused', async t => {
  const { provider, browser, login, url, refusal } = await ground(t, {}, { responseMode: 'form_post' });
  const form = await stopAtCallback(t, url, provider, browser, login);
  const post = () =>
    browser.once(`${url}/auth/corp/callback`, { method: 'POST', form, from: provider.issuer });
  assert.equal((await post()).status, 303);
  assert.equal((await post()).status, 400);
  assert.equal(refusal(), 'state_used');
});

test('sign-in under /oauth returns to /oauth', async t => {
  const { provider, browser, url } = await ground(t);
  const page = await provider.signIn(browser, `${url}/oauth/corp/login`);
  assert.equal(who(page).email, 'alice@corp.example');
  assert.ok(page.trail.some(step => step.startsWith(`${url}/oauth/corp/callback?`)));
  assert.ok(page.trail[0]!.startsWith(`${url}/oauth/`));
});

test('tokens of 64 KB work end to end, and the cookie stays under 100 bytes', async t => {
  const { provider, browser, login, url, grants } = await ground(
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
  const { provider, browser, login } = await ground(
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
  const { provider, login, refusal, sessionCount } = await ground(
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
  const { provider, browser, login, users, refusal, sessionCount, grants } = await ground(t);
  const { userId } = who(await provider.signIn(browser, login));
  await users.setDisabled(userId!, true);
  const page = await provider.signIn(createBrowser(), login);
  assert.equal(page.status, 403);
  assert.equal(refusal(), 'user_disabled');
  assert.equal(await sessionCount(), 1);
  assert.equal(grants.length, 1);
});

test('an answer without state, with a state never given out, or with one already used is refused', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await ground(t);
  const page = await provider.signIn(browser, login);
  const callback = new URL(callbackOf(page, url));
  const refused = async (change: (parameters: URLSearchParams) => void, reason: string) => {
    const next = new URL(callback);
    change(next.searchParams);
    assert.equal((await browser.get(next.href)).status, 400);
    assert.equal(refusal(), reason);
  };
  await refused(parameters => parameters.delete('state'), 'state_unknown');
  await refused(parameters => parameters.set('state', 'x'.repeat(43)), 'state_unknown');
  await refused(() => {}, 'state_used');
  assert.equal(await sessionCount(), 1);
});

test('a state from another browser is refused, and leaves the sign-in to its own browser', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await ground(t);
  const callback = await stopAtRedirect(t, url, provider, browser, login);
  const other = createBrowser();
  assert.equal((await other.get(callback)).status, 400);
  assert.equal(refusal(), 'other_browser');
  assert.equal(await sessionCount(), 0);
  assert.equal(who(await browser.get(callback)).email, 'alice@corp.example');
});

test('a sign-in that took longer than ten minutes is refused', async t => {
  const { provider, browser, login, url, refusal, runtime } = await ground(t);
  const callback = await stopAtRedirect(t, url, provider, browser, login);
  runtime.ahead = 601_000;
  assert.equal((await browser.get(callback)).status, 400);
  assert.equal(refusal(), 'state_expired');
});

test('fifty parallel answers to one state make one session', async t => {
  const { provider, browser, login, url, sessionCount } = await ground(t);
  const callback = await stopAtRedirect(t, url, provider, browser, login);
  const pages = await Promise.all(Array.from({ length: 50 }, () => browser.once(callback)));
  assert.equal(pages.filter(page => page.status === 303).length, 1);
  assert.equal(await sessionCount(), 1);
  assert.equal(provider.codes, 1);
});

test('a code replayed under a fresh state of the same browser is refused', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await ground(t);
  const first = callbackOf(await provider.signIn(browser, login), url);
  const fresh = new URL(await stopAtRedirect(t, url, provider, browser, login));
  fresh.searchParams.set('code', new URL(first).searchParams.get('code')!);
  const page = await browser.get(fresh.href);
  assert.equal(page.status, 400);
  assert.equal(refusal(), 'code_refused');
  assert.equal(await sessionCount(), 1);
});

test('mix-up: the answer of one provider is refused at the callback of another, and an answer with another iss is refused', async t => {
  const one = await startProvider();
  const two = await startProvider();
  t.after(() => Promise.all([one.close(), two.close()]));
  const gateway = await signInGround(t, [
    providerAt(one.issuer, { secret: one.clientSecret }),
    providerAt(two.issuer, { id: 'other', secret: two.clientSecret }),
  ]);
  const browser = createBrowser();
  const login = `${gateway.url}/auth/corp/login`;
  const callback = await stopAtRedirect(t, gateway.url, one, browser, login);
  assert.equal((await browser.get(callback.replace('/auth/corp/', '/auth/other/'))).status, 400);
  assert.equal(gateway.refusal(), 'other_provider');
  const forged = new URL(callback);
  forged.searchParams.set('iss', two.issuer);
  assert.equal((await browser.get(forged.href)).status, 400);
  assert.equal(gateway.refusal(), 'answer_invalid');
  // RFC 9207 section 2.4: a provider that says it sends `iss` must.
  const silent = new URL(await stopAtRedirect(t, gateway.url, one, browser, login));
  silent.searchParams.delete('iss');
  assert.equal((await browser.get(silent.href)).status, 400);
  assert.equal(gateway.refusal(), 'answer_invalid');
  assert.deepEqual([one.codes, two.codes, await gateway.sessionCount()], [0, 0, 0]);
});

test('what a provider writes into its error never reaches the page, the log or the audit', async t => {
  const { provider, browser, login, url, refusal, logged, events } = await ground(t);
  const callback = new URL(await stopAtRedirect(t, url, provider, browser, login));
  callback.searchParams.delete('code');
  callback.searchParams.set('error', 'access_denied');
  callback.searchParams.set('error_description', '<script>alert("canary")</script>');
  const page = await browser.get(callback.href);
  assert.equal(page.status, 401);
  assert.match(page.text, /Sign in/);
  assert.equal(refusal(), 'provider_refused');
  for (const where of [page.text, logged.join(), JSON.stringify(events)])
    assert.ok(!where.includes('canary'));
});

test('no token, code, state or cookie reaches the log, the audit or the database in the clear', async t => {
  const { provider, browser, login, url, grants, logged, events, db } = await ground(
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

test('a return path that leads elsewhere is refused', async t => {
  const { url, browser } = await ground(t);
  for (const path of [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/.//evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    '/x\r\nset-cookie: a=b',
  ]) {
    const page = await browser.once(`${url}/auth/corp/login?return_to=${encodeURIComponent(path)}`);
    assert.equal(page.status, 400, path);
    assert.equal(page.headers.get('location'), null);
  }
});

test('the sign-in page lists the providers, escaped, and passes the return path on', async t => {
  const { url, browser } = await ground(t, {}, { name: '<b>Corp & Co</b>' });
  const page = await browser.get(`${url}/auth/login?return_to=${encodeURIComponent('/a?b="c"')}`);
  assert.match(page.text, /Continue with &lt;b&gt;Corp &amp; Co&lt;\/b&gt;/);
  assert.match(page.text, /href="\/auth\/corp\/login\?return_to=%2Fa%3Fb%3D%2522c%2522"/);
  assert.ok(!/<script|<style|style=/.test(page.text));
  assert.equal((await browser.get(`${url}/auth/nobody/login`)).status, 404);
});

test('a provider that is away is a page that says so, and sign-in works once it is back', async t => {
  const { provider, browser, login, runtime } = await ground(t);
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

test('HEAD neither starts nor finishes a sign-in', async t => {
  const { provider, browser, login, url, db } = await ground(t);
  const callback = await stopAtRedirect(t, url, provider, browser, login);
  const before = (await db.selectFrom('sign_ins').selectAll().execute()).length;
  for (const target of [login, callback]) await fetch(target, { method: 'HEAD', redirect: 'manual' });
  assert.equal(
    (await db.selectFrom('sign_ins').selectAll().where('used_at', 'is', null).execute()).length,
    before,
  );
});

type Provided = Awaited<ReturnType<typeof startProvider>>;
type Browsing = ReturnType<typeof createBrowser>;

/** Signs in at the provider, but leaves the gateway's callback unvisited. @returns its URL */
async function stopAtRedirect(
  _t: TestContext,
  url: string,
  provider: Provided,
  browser: Browsing,
  login: string,
): Promise<string> {
  let next = login;
  for (let hop = 0; hop < 12; hop++) {
    const page = await browser.once(next, { headers: { 'x-test-account': provider.account } });
    const location = page.headers.get('location');
    assert.ok(location, `${page.status} at ${next}`);
    next = new URL(location, next).href;
    if (new URL(next).pathname.endsWith('/callback') && next.startsWith(url)) return next;
  }
  throw new Error('the provider never came back');
}

/** The same with form_post. @returns the form that the provider's page would submit */
async function stopAtCallback(
  _t: TestContext,
  url: string,
  provider: Provided,
  browser: Browsing,
  login: string,
): Promise<Record<string, string>> {
  let next = login;
  for (let hop = 0; hop < 12; hop++) {
    const page = await browser.once(next);
    const location = page.headers.get('location');
    if (location === null) {
      assert.ok(page.text.includes(`action="${url}`), page.text);
      return Object.fromEntries(
        [...page.text.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
      );
    }
    next = new URL(location, next).href;
  }
  throw new Error(`${provider.issuer} never came back`);
}
