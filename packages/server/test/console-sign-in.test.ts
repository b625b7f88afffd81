import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, signIn, skip, startHouse, useChromium } from './fixtures/console.ts';
import { startGateway } from './fixtures/gateway.ts';

useChromium();

for (const responseMode of ['query', 'form_post']) {
  test(`a person signs in by ${responseMode}, sees what they may use, and signs out at the provider too`, {
    skip,
  }, async t => {
    const { provider, gateway } = await startHouse(t, { provider: { responseMode } });
    const page = await openWindow(t, [401]);
    await signIn(page, gateway);
    const course = page
      .getByRole('listitem')
      .filter({ has: page.getByRole('heading', { name: 'Corp models' }) });
    await course.getByText('Ready', { exact: true }).waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Payroll' }).count(), 0);
    assert.equal(await page.getByRole('link', { name: 'Users' }).count(), 0, 'no admin pages for others');
    await page.getByText(/^Live/).waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    // The provider asks, as it has the last word over its own session.
    await page.getByRole('button', { name: /yes/i }).click();
    await page.getByRole('link', { name: 'Continue with Corp SSO' }).waitFor();
    assert.equal(provider.logouts, 1);
    await page.goto(`${gateway.url}/account`);
    await page.waitForURL('**/sign-in?return_to=%2Faccount');
  });
}

test('a sign-in leads back to the page that was wanted', { skip }, async t => {
  const { gateway } = await startHouse(t);
  const page = await openWindow(t, [401]);
  await page.goto(`${gateway.url}/account`);
  await page.getByRole('link', { name: 'Continue with Corp SSO' }).click();
  await page.waitForURL(`${gateway.url}/account`);
  await page.getByRole('heading', { level: 1, name: 'My account' }).waitFor();
  await page.getByText('alice@corp.example, in engineering').waitFor();
});

test('a gateway without a provider says where its first link is, and the link makes an admin of whoever opens it', {
  skip,
}, async t => {
  const gateway = await startGateway(t);
  const page = await openWindow(t, [401]);
  await page.goto(gateway.url);
  await page.getByText('Nobody has signed in here yet.').waitFor();
  await page.goto(/http:\/\/localhost:\d+\/auth\/first-admin\?\S+/.exec(gateway.output())![0]);
  await page.getByRole('heading', { level: 1, name: 'Upstreams I may use' }).waitFor();
  await page.getByRole('link', { name: 'Add the first upstream' }).waitFor();
  await page.getByRole('link', { name: 'Users' }).waitFor();
});
