import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, signIn, skip, startHouse, turnedOut, useChromium } from './fixtures/console.ts';

useChromium();

test('a key is made, shown once, used, and refused as soon as it is revoked', { skip }, async t => {
  const { gateway, upstream } = await startHouse(t);
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);
  await page.getByRole('link', { name: 'My account' }).click();
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByLabel('Name').fill('build server');
  await page.getByRole('button', { name: 'Make the key' }).click();
  const shown = page.getByText(/^sp_[\w-]{43}$/).first();
  const key = (await shown.textContent())!;
  await page.getByRole('button', { name: 'I have it' }).click();
  const course = page
    .getByRole('list', { name: 'Gateway keys' })
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: 'build server' }) });
  await course.waitFor();
  await page.reload();
  await course.waitFor();
  assert.ok(!(await page.content()).includes(key));

  const call = () =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{"model":"corp-large","messages":[]}',
    });
  assert.equal((await call()).status, 200);
  assert.equal(upstream.requests.length, 1);
  await course.getByRole('button', { name: 'Revoke build server' }).click();
  await page.getByRole('button', { name: 'Revoke key' }).click();
  await course.getByText('Revoked', { exact: true }).first().waitFor();
  assert.equal((await call()).status, 401);
});

test('a list follows what another window does, without a reload', { skip }, async t => {
  const { gateway } = await startHouse(t);
  const [here, there] = [await openWindow(t, [401]), await openWindow(t, [401])];
  for (const page of [here, there]) {
    await signIn(page, gateway);
    await page.goto(`${gateway.url}/account`);
    await page.getByText(/^Live/).waitFor();
  }
  await here.getByRole('button', { name: 'Make a key' }).click();
  await here.getByLabel('Name').fill('nightly');
  await here.getByRole('button', { name: 'Make the key' }).click();
  await there.getByRole('heading', { name: 'nightly' }).waitFor();
});

test('a session that is ended in one window takes the other to the sign-in page within five seconds', {
  skip,
}, async t => {
  const { gateway } = await startHouse(t);
  const [here, there] = [await openWindow(t, [401]), await openWindow(t, [401])];
  await signIn(there, gateway);
  await there.getByText(/^Live/).waitFor();
  await signIn(here, gateway);
  await here.goto(`${gateway.url}/account`);
  const sessions = here.getByRole('list', { name: 'Sessions' }).getByRole('listitem');
  await sessions.filter({ hasText: 'This browser' }).waitFor();
  assert.equal(await sessions.count(), 2);
  await here.getByRole('button', { name: /^End the session/ }).click();
  await here.getByRole('button', { name: 'End session' }).click();
  await turnedOut(there);
  await sessions.nth(1).waitFor({ state: 'detached' });
});

test('an account that is disconnected says so where it is needed, and signing in again mends it', {
  skip,
}, async t => {
  const { gateway, provider } = await startHouse(t);
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);
  await page.goto(`${gateway.url}/account`);
  await page.getByRole('button', { name: 'Disconnect Corp SSO' }).click();
  await page.getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.getByText('No account is connected.').waitFor();
  assert.equal(provider.revocations, 1);
  await page.getByRole('link', { name: 'Upstreams I may use' }).click();
  await page.getByText('Connect first').waitFor();
  await page.getByRole('link', { name: 'Connect', exact: true }).click();
  await page.getByText('Ready', { exact: true }).waitFor();
});
