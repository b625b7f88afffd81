import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrowser, type Page } from './fixtures/browser.ts';
import { startProvider } from './fixtures/provider.ts';
import { corpGround, providerAt, signInGround, stopAtForm, stopAtRedirect, who } from './fixtures/sign-in.ts';

/** The last URL on the way that is the gateway's callback. */
const callbackOf = (page: Page, url: string) =>
  page.trail.findLast(step => step.startsWith(`${url}/auth/corp/callback`))!;

test('form_post: an answer that another browser fetches signs nobody in, and its own browser still can', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await corpGround(
    t,
    {},
    { responseMode: 'form_post' },
  );
  const stopped = await stopAtForm(provider, browser, login);
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
  const { provider, browser, login, url, refusal } = await corpGround(t, {}, { responseMode: 'form_post' });
  const form = await stopAtForm(provider, browser, login);
  const post = () =>
    browser.once(`${url}/auth/corp/callback`, { method: 'POST', form, from: provider.issuer });
  assert.equal((await post()).status, 303);
  assert.equal((await post()).status, 400);
  assert.equal(refusal(), 'state_used');
});

test('who comes back from a provider that is removed at that moment is not signed in, and leaves nothing behind', async t => {
  const { provider, browser, login, live, sessionCount, endedGrants, grants } = await corpGround(t);
  provider.intercept = req => {
    if (req.url === '/token') live.now = [];
    return false;
  };
  const page = await provider.signIn(browser, login);
  assert.equal(page.status, 404);
  assert.equal(await sessionCount(), 0);
  assert.deepEqual([grants.length, endedGrants], [1, ['grt_0']]);
});

test('an answer without state, with a state never given out, or with one already used is refused', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await corpGround(t);
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
  const { provider, browser, login, refusal, sessionCount } = await corpGround(t);
  const callback = await stopAtRedirect(provider, browser, login);
  const other = createBrowser();
  assert.equal((await other.get(callback)).status, 400);
  assert.equal(refusal(), 'other_browser');
  assert.equal(await sessionCount(), 0);
  assert.equal(who(await browser.get(callback)).email, 'alice@corp.example');
});

test('a sign-in that took longer than ten minutes is refused', async t => {
  const { provider, browser, login, refusal, runtime } = await corpGround(t);
  const callback = await stopAtRedirect(provider, browser, login);
  runtime.ahead = 601_000;
  assert.equal((await browser.get(callback)).status, 400);
  assert.equal(refusal(), 'state_expired');
});

test('fifty parallel answers to one state make one session', async t => {
  const { provider, browser, login, sessionCount } = await corpGround(t);
  const callback = await stopAtRedirect(provider, browser, login);
  const pages = await Promise.all(Array.from({ length: 50 }, () => browser.once(callback)));
  assert.equal(pages.filter(page => page.status === 303).length, 1);
  assert.equal(await sessionCount(), 1);
  assert.equal(provider.codes, 1);
});

test('a code replayed under a fresh state of the same browser is refused', async t => {
  const { provider, browser, login, url, refusal, sessionCount } = await corpGround(t);
  const first = callbackOf(await provider.signIn(browser, login), url);
  const fresh = new URL(await stopAtRedirect(provider, browser, login));
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
  const callback = await stopAtRedirect(one, browser, login);
  assert.equal((await browser.get(callback.replace('/auth/corp/', '/auth/other/'))).status, 400);
  assert.equal(gateway.refusal(), 'other_provider');
  const forged = new URL(callback);
  forged.searchParams.set('iss', two.issuer);
  assert.equal((await browser.get(forged.href)).status, 400);
  assert.equal(gateway.refusal(), 'answer_invalid');
  // RFC 9207 section 2.4: a provider that says it sends `iss` must.
  const silent = new URL(await stopAtRedirect(one, browser, login));
  silent.searchParams.delete('iss');
  assert.equal((await browser.get(silent.href)).status, 400);
  assert.equal(gateway.refusal(), 'answer_invalid');
  assert.deepEqual([one.codes, two.codes, await gateway.sessionCount()], [0, 0, 0]);
});

test('what a provider writes into its error never reaches the page, the log or the audit', async t => {
  const { provider, browser, login, refusal, logged, events } = await corpGround(t);
  const callback = new URL(await stopAtRedirect(provider, browser, login));
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

test('a return path that leads elsewhere is refused', async t => {
  const { url, browser } = await corpGround(t);
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

test('HEAD neither starts nor finishes a sign-in', async t => {
  const { provider, browser, login, db } = await corpGround(t);
  const callback = await stopAtRedirect(provider, browser, login);
  const before = (await db.selectFrom('sign_ins').selectAll().execute()).length;
  for (const target of [login, callback]) await fetch(target, { method: 'HEAD', redirect: 'manual' });
  assert.equal(
    (await db.selectFrom('sign_ins').selectAll().where('used_at', 'is', null).execute()).length,
    before,
  );
});
