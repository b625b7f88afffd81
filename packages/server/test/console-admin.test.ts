import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, signIn, skip, startHouse, turnedOut, useChromium } from './fixtures/console.ts';

useChromium();

test('an admin finds every page whole, and nothing on it that this gateway does not do', {
  skip,
}, async t => {
  const { gateway, provider } = await startHouse(t);
  provider.account = 'root';
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);

  await page.getByRole('link', { name: 'Upstreams', exact: true }).click();
  const upstream = page
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: 'Corp models' }) });
  await upstream.getByText('Read-only here').waitFor();
  await upstream.getByRole('button', { name: 'Test the connection to Corp models' }).click();
  await upstream.getByText('It answered').waitFor();
  assert.deepEqual(await page.getByRole('button', { name: /^(Add|Edit|Remove)/ }).allTextContents(), [
    'Add an upstream',
  ]);
  assert.ok(!(await page.content()).includes('a-static-key-of-payroll'));

  await page.getByRole('link', { name: 'Providers' }).click();
  await page.getByText(provider.issuer).first().waitFor();
  await page.getByRole('button', { name: 'Test the connection to Corp SSO' }).click();
  await page.getByText('It answered').waitFor();
  assert.deepEqual(await page.getByRole('button', { name: /^(Add|Edit|Remove)/ }).allTextContents(), [
    'Add a provider',
  ]);

  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByRole('heading', { name: 'Root Admin' }).waitFor();
  assert.equal(await page.getByRole('button', { name: /Invite/ }).count(), 0);
  assert.equal(await page.getByRole('button', { name: /^(Disable|Remove)/ }).count(), 0, 'not for oneself');

  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByText('session.begin').first().waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export as JSON Lines' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'sallyport-audit.jsonl');

  await page.getByRole('link', { name: 'Health' }).click();
  await page.getByText('upstream payroll').waitFor();
  await page.getByText('nothing listens there').waitFor();
});

test('who is disabled by an admin is out in every window within five seconds, and the audit shows it live', {
  skip,
}, async t => {
  const { gateway, provider } = await startHouse(t);
  const alice = await openWindow(t, [401]);
  await signIn(alice, gateway);
  await alice.getByText(/^Live/).waitFor();
  provider.account = 'root';
  const [admin, audit] = [await openWindow(t, [401]), await openWindow(t, [401])];
  await signIn(audit, gateway);
  await audit.goto(`${gateway.url}/admin/audit`);
  await audit.getByText(/^Live/).waitFor();
  await signIn(admin, gateway);
  await admin.goto(`${gateway.url}/admin/users`);
  await admin.getByRole('button', { name: 'Disable Alice Moreau' }).click();
  await admin.getByText('1 session is signed out').waitFor();
  assert.equal(await admin.getByText('is forgotten').count(), 0, 'who is disabled keeps their accounts');
  await admin.getByRole('button', { name: 'Disable', exact: true }).click();
  await turnedOut(alice);
  await audit
    .getByRole('list', { name: /^Audit entries/ })
    .getByText('user.disable')
    .waitFor();
  await admin.getByRole('button', { name: 'Enable Alice Moreau' }).click();
  await admin.getByRole('button', { name: 'Disable Alice Moreau' }).waitFor();
});
