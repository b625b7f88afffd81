import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { findChromium, launchChromium } from './chromium.ts';
import { XSS } from './fixture-data.ts';
import { startFixtureGateway } from './fixture-gateway.ts';

const executable = findChromium();
const skip =
  executable === null && 'no Chromium was found: set CHROMIUM_PATH to run the console in a real browser';

let browser: Browser;
let gateway: Awaited<ReturnType<typeof startFixtureGateway>>;

before(async () => {
  if (executable !== null) browser = await launchChromium(executable);
});
after(() => browser?.close());

beforeEach(async t => {
  if (executable === null) return;
  gateway = await startFixtureGateway();
  (t as { after?: (done: () => Promise<void>) => void }).after?.(() => gateway.close());
});

/** A page whose every complaint (a refused inline style, a script error) fails the test at its end. */
async function open(t: { after(done: () => unknown): void }, path: string): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('console', message => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  });
  page.setDefaultTimeout(5000);
  await page.goto(gateway.url + path);
  return page;
}

test('a key is shown once, and its course joins the list by itself', { skip }, async t => {
  const page = await open(t, '/account');
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByLabel('Name').fill('build server');
  await page.getByRole('button', { name: 'Make the key' }).click();
  await page.getByText('sp_Zm9y').waitFor();
  await page.getByRole('button', { name: 'I have it' }).click();
  await page
    .getByRole('list', { name: 'Gateway keys' })
    .getByRole('heading', { name: 'build server' })
    .waitFor();
  assert.equal(await page.getByText('sp_Zm9y').count(), 0);
});

test('a dialog keeps the focus inside, Escape closes it, and the focus goes back to its button', {
  skip,
}, async t => {
  const page = await open(t, '/account');
  const button = page.getByRole('button', { name: 'Revoke laptop' });
  await button.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Revoke laptop?' });
  await dialog.waitFor();
  for (let step = 0; step < 8; step++) {
    await page.keyboard.press('Tab');
    assert.ok(
      await page.evaluate(
        () => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null,
      ),
    );
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await button.evaluate(element => element === document.activeElement), true);
});

test('what goes along is said before a person is removed, and another window sees them go', {
  skip,
}, async t => {
  const page = await open(t, '/admin/users');
  const other = await open(t, '/admin/users');
  await other.getByRole('heading', { name: 'Bo Lindqvist' }).waitFor();
  await page.getByRole('button', { name: 'Remove Bo Lindqvist' }).click();
  await page.getByText('2 sessions are signed out').waitFor();
  await page.getByRole('button', { name: 'Remove for good' }).click();
  await other.getByRole('heading', { name: 'Bo Lindqvist' }).waitFor({ state: 'detached' });
});

test('what stands in the file offers no change, and says why', { skip }, async t => {
  const page = await open(t, '/admin/upstreams');
  const course = page
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: 'Corp models' }) });
  await course.getByText('Read-only here').waitFor();
  assert.equal(await course.getByRole('button', { name: /Edit|Remove/ }).count(), 0);
  assert.equal(await page.getByRole('button', { name: 'Edit Issue tracker' }).count(), 1);
});

test('markup in any name stays text', { skip }, async t => {
  for (const list of Object.values(gateway.data.lists)) {
    for (const item of list) {
      for (const [field, value] of Object.entries(item)) {
        const free =
          typeof value === 'string' &&
          !/^(id|at|state|kind|protocol|source|response_mode|use|.*_(at|since|url)|base_url)$/.test(field);
        if (free) item[field] = XSS;
      }
    }
  }
  const page = await open(t, '/');
  for (const path of [
    '/',
    '/account',
    '/admin/users',
    '/admin/upstreams',
    '/admin/providers',
    '/admin/audit',
    '/admin/health',
  ]) {
    await page.goto(gateway.url + path);
    await page
      .getByText('onerror')
      .first()
      .waitFor()
      .catch(() => assert.fail(path));
    assert.equal(await page.locator('#root img, #root script').count(), 0, path);
    assert.doesNotMatch(await page.title(), /pwned/);
  }
});

test('an upstream is added by keyboard, its test says what came back, and a stored key is never shown', {
  skip,
}, async t => {
  const page = await open(t, '/admin/upstreams');
  await page.getByRole('button', { name: 'Add an upstream' }).click();
  await page.getByLabel('Name').fill('Notes');
  await page.getByLabel('Id', { exact: true }).fill('notes');
  await page.getByLabel('Kind').selectOption('http');
  await page.getByLabel('URL').fill('https://notes.corp.example');
  await page.getByRole('radio', { name: 'One key for everyone' }).check();
  await page.getByLabel('Key', { exact: true }).fill('very-secret');
  await page.getByRole('radio', { name: 'Everyone who signed in' }).check();
  await page.getByRole('button', { name: 'Test the connection to this upstream' }).click();
  await page.getByText('It lists 14 models').waitFor();
  await page.getByRole('button', { name: 'Add the upstream' }).click();
  await page.getByRole('heading', { name: 'Notes' }).waitFor();
  await page.getByRole('button', { name: 'Edit Notes' }).click();
  assert.equal(await page.getByLabel('Key', { exact: true }).inputValue(), '');
});

test('the tabs of snippets move by arrow keys with one tab stop', { skip }, async t => {
  const page = await open(t, '/');
  await page.getByText('How to use Corp models').click();
  await page.getByRole('tab', { name: 'curl' }).focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.getByRole('tab', { name: 'Python' }).getAttribute('aria-selected'), 'true');
  await page.getByText('from openai import OpenAI').waitFor();
  assert.equal(await page.getByRole('tablist').first().locator('[tabindex="0"]').count(), 1);
});

test('who is not signed in comes to the sign-in page, and from there back to where they were going', {
  skip,
}, async t => {
  gateway.data.signedIn = false;
  const page = await open(t, '/account');
  await page.waitForURL('**/sign-in?return_to=%2Faccount');
  assert.match(
    (await page.getByRole('link', { name: 'Continue with Corp SSO' }).getAttribute('href'))!,
    /return_to=%2Faccount$/,
  );
  await page.getByLabel('Email').fill('chiara@partner.example');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('do not belong together').waitFor();
  await page.getByLabel('Password').fill('right');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${gateway.url}/account`);
});

test('a session that ends elsewhere takes its window to the sign-in page', { skip }, async t => {
  const page = await open(t, '/account');
  await page.getByText(/^Live/).waitFor();
  gateway.data.signedIn = false;
  gateway.endSession();
  await page.waitForURL('**/sign-in?return_to=%2Faccount');
});

test('the audit follows live, and a filter is in the address', { skip }, async t => {
  const page = await open(t, '/admin/audit');
  const entries = page.getByRole('list', { name: 'Audit entries, newest first' }).getByRole('listitem');
  await entries.first().waitFor();
  const before = await entries.count();
  await page.getByText(/^Live/).waitFor();
  await page.evaluate(() => fetch('/api/v1/happen', { method: 'POST' }));
  await entries.nth(before).waitFor();
  await page.getByLabel('Action').fill('key.revoke');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.waitForURL('**/admin/audit?action=key.revoke');
  await entries.nth(1).waitFor({ state: 'detached' });
});

test('a chosen theme outlives the page', { skip }, async t => {
  const page = await open(t, '/');
  await page.getByRole('button', { name: 'Dark theme' }).click();
  await page.reload();
  await page.getByRole('button', { name: 'Light theme' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset['theme']), 'dark');
});
