import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrowser } from './fixtures/browser.ts';
import { signInGround } from './fixtures/sign-in.ts';

test('the first start’s link signs the first admin in; fifty parallel uses make exactly one', async t => {
  const { adminLinks, users, sessionCount, url, events } = await signInGround(t, []);
  const link = (await adminLinks.create())!;
  assert.match(link, new RegExp(`^${url}/auth/first-admin\\?token=[\\w-]{43}$`));
  const browsers = Array.from({ length: 50 }, () => createBrowser());
  const pages = await Promise.all(browsers.map(browser => browser.get(link)));
  const winners = pages.filter(page => page.status === 200);
  assert.equal(winners.length, 1);
  assert.equal(winners[0]!.url, `${url}/`);
  assert.equal(JSON.parse(winners[0]!.text).admin, true);
  assert.ok(pages.every(page => page.status === 200 || page.status === 410));
  assert.deepEqual([(await users.list()).length, await sessionCount()], [1, 1]);
  assert.equal(events.filter(event => event.action === 'session.begin').length, 1);
});

test('the link is only made while there is no admin, and only the newest works', async t => {
  const { adminLinks } = await signInGround(t, []);
  const older = (await adminLinks.create())!;
  const newer = (await adminLinks.create())!;
  assert.equal((await createBrowser().get(older)).status, 410);
  assert.equal((await createBrowser().get(newer)).status, 200);
  assert.equal(await adminLinks.create(), null);
});

test('the link works for fifteen minutes, not for HEAD, and is stored as a hash', async t => {
  const { adminLinks, runtime, db, logged } = await signInGround(t, []);
  const link = (await adminLinks.create())!;
  const token = new URL(link).searchParams.get('token')!;
  assert.ok(!JSON.stringify(await db.selectFrom('admin_links').selectAll().execute()).includes(token));
  await fetch(link, { method: 'HEAD', redirect: 'manual' });
  runtime.ahead = 15 * 60_000 + 1_000;
  assert.equal((await createBrowser().get(link)).status, 410);
  runtime.ahead = 14 * 60_000;
  assert.equal((await createBrowser().get(link)).status, 200);
  assert.ok(!logged.join().includes(token));
});

test('without a provider the sign-in page says what to do', async t => {
  const { url } = await signInGround(t, []);
  assert.match((await createBrowser().get(`${url}/auth/login`)).text, /link for the first admin/);
});
