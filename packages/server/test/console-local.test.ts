import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { openWindow, signIn, skip, startHouse, turnedOut, useChromium } from './fixtures/console.ts';
import { faultsOf } from './fixtures/console-faults.ts';
import { type Gateway, startGateway } from './fixtures/gateway.ts';

useChromium();

const PASSWORD = 'four quiet green owls';
const OTHER = 'seven loud blue herons';
const XSS = `"><img/src=x/onerror="document.title='pwned'">`;

/** A gateway without a provider, and its first admin at the Users page. */
async function startTeam(t: TestContext, config: Record<string, unknown> = {}) {
  const gateway = await startGateway(t, { config });
  const admin = await openWindow(t, [401, 403, 409]);
  await admin.goto(/http:\/\/localhost:\d+\/auth\/first-admin\?\S+/.exec(gateway.output())![0]);
  await atHome(admin);
  await admin.goto(`${gateway.url}/admin/users`);
  await admin.getByText(/^Live/).waitFor();
  return { gateway, admin };
}

const atHome = (page: Page) => page.getByRole('heading', { level: 1, name: 'Upstreams I may use' }).waitFor();

/** Makes an invitation through the dialog. @returns the link that it shows */
async function invite(admin: Page, email: string, groups = ''): Promise<string> {
  await admin.getByRole('button', { name: 'Invite someone' }).click();
  await admin.getByLabel('Email').fill(email);
  await admin.getByRole('textbox', { name: 'Groups' }).fill(groups);
  await admin.getByRole('button', { name: 'Make the link' }).click();
  const link = await admin.getByRole('group', { name: 'the invitation link' }).textContent();
  await admin.getByRole('button', { name: 'Done' }).click();
  return link!;
}

async function choosePassword(page: Page, link: string, password: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Come in' }).click();
}

async function enter(page: Page, gateway: Gateway, email: string, password: string): Promise<void> {
  await page.goto(`${gateway.url}/sign-in`);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Somebody invited, who is in. */
async function join(t: TestContext, admin: Page, email: string, groups = ''): Promise<Page> {
  const page = await openWindow(t, [400, 401, 403, 410]);
  await choosePassword(page, await invite(admin, email, groups), PASSWORD);
  await atHome(page);
  return page;
}

test('an invited person opens the link elsewhere, chooses a password, and the admin sees it happen', {
  skip,
}, async t => {
  const { gateway, admin } = await startTeam(t);
  const link = await invite(admin, 'bo@corp.example', 'ops, eng');
  const invitations = admin.getByRole('list', { name: 'Invitations' });
  await invitations.getByRole('heading', { name: 'bo@corp.example' }).waitFor();

  const bo = await openWindow(t, [400, 401, 410]);
  const sent: string[] = [];
  bo.on('request', request => void sent.push(request.url()));
  await bo.goto(link);
  await bo.getByText('bo@corp.example').waitFor();
  assert.deepEqual(await faultsOf(bo), []);
  await bo.getByLabel('Your name').fill('Bo');
  await bo.getByLabel('Password').fill('bo@corp.example');
  await bo.getByRole('button', { name: 'Come in' }).click();
  await bo.getByText('mostly a name or address').waitFor();
  await bo.getByLabel('Password').fill(PASSWORD);
  await bo.getByRole('button', { name: 'Come in' }).click();
  await atHome(bo);
  const secret = new URL(link).hash.slice(1);
  assert.ok(!sent.some(url => url.includes(secret)), 'no address that was asked for holds the secret');

  await invitations.waitFor({ state: 'detached' });
  const people = admin
    .getByRole('list', { name: 'Users' })
    .getByRole('listitem')
    .filter({ hasText: 'ops, eng' });
  await people.getByText('local account').waitFor();
  await bo.goto(link);
  await bo.getByText('It was used, withdrawn, or has run out').waitFor();

  const spare = await invite(admin, 'cy@corp.example');
  await admin.getByRole('button', { name: 'Withdraw the invitation of cy@corp.example' }).click();
  await admin.getByRole('button', { name: 'Withdraw', exact: true }).click();
  await admin.getByText('No invitation is open.').waitFor();
  await bo.goto(`${gateway.url}/account`);
  await bo.goto(spare);
  await bo.getByText('It was used, withdrawn, or has run out').waitFor();
});

test('a person signs in by password, hears when it is wrong, and when they tried too often', {
  skip,
}, async t => {
  const { gateway, admin } = await startTeam(t, { rateLimits: { password: { account: '3/10m' } } });
  await join(t, admin, 'bo@corp.example');
  const page = await openWindow(t, [401, 429]);
  await page.goto(`${gateway.url}/account`);
  await page.waitForURL('**/sign-in?return_to=%2Faccount');
  assert.deepEqual(await faultsOf(page), []);
  await page.getByLabel('Email').fill('bo@corp.example');
  await page.getByLabel('Password').fill(OTHER);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('That email and password do not belong together.').waitFor();
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${gateway.url}/account`);
  await page.getByRole('heading', { level: 1, name: 'My account' }).waitFor();

  const guesser = await openWindow(t, [401, 429]);
  await enter(guesser, gateway, 'bo@corp.example', OTHER);
  await guesser.getByText('do not belong together').waitFor();
  await guesser.getByRole('button', { name: 'Sign in' }).click();
  await guesser.getByText(/Too many tries; try again in \d+ s/).waitFor();
});

test('the first admin sets a password under My account, signs out, and comes back by it', {
  skip,
}, async t => {
  const { gateway, admin } = await startTeam(t);
  await admin.getByRole('link', { name: 'Upstreams I may use' }).click();
  await admin.getByRole('link', { name: 'Set a password' }).click();
  await admin.getByRole('button', { name: 'Set a password' }).click();
  await admin.getByLabel('Email').fill('root@corp.example');
  await admin.getByLabel('New password').fill(PASSWORD);
  assert.deepEqual(await faultsOf(admin), []);
  await admin.getByRole('button', { name: 'Set password' }).click();
  await admin.getByRole('button', { name: 'Change password' }).waitFor();
  await admin.getByRole('button', { name: 'Sign out' }).click();
  await admin.getByLabel('Email').waitFor();
  await enter(admin, gateway, 'root@corp.example', PASSWORD);
  await atHome(admin);
  await admin.getByText('There is nothing behind the gate for you yet.').waitFor();
  assert.equal(await admin.getByRole('link', { name: 'Set a password' }).count(), 0);
  await admin.getByRole('link', { name: 'Users' }).waitFor();
});

test('who changes their password stays, and their other windows are out within five seconds', {
  skip,
}, async t => {
  const { gateway, admin } = await startTeam(t);
  const here = await join(t, admin, 'bo@corp.example');
  const there = await openWindow(t, [401]);
  await enter(there, gateway, 'bo@corp.example', PASSWORD);
  await there.getByText(/^Live/).waitFor();
  await here.goto(`${gateway.url}/account`);
  await here.getByRole('button', { name: 'Change password' }).click();
  await here.getByLabel('Current password').fill(OTHER);
  await here.getByLabel('New password').fill(OTHER);
  await here.getByRole('button', { name: 'Set password' }).click();
  await here.getByText('The current password is another.').waitFor();
  await here.getByLabel('Current password').fill(PASSWORD);
  await here.getByRole('button', { name: 'Set password' }).click();
  await turnedOut(there);
  await here.getByRole('dialog').waitFor({ state: 'detached' });
  await here.reload();
  await here.getByText('This browser').waitFor();
});

test('an admin’s link sets a new password for who forgot theirs, once, and signs them out elsewhere', {
  skip,
}, async t => {
  const { gateway, admin } = await startTeam(t);
  const lost = await join(t, admin, 'bo@corp.example');
  await lost.getByText(/^Live/).waitFor();
  await admin.getByRole('button', { name: 'New password for bo@corp.example' }).click();
  await admin.getByRole('button', { name: 'Make the link' }).click();
  const link = await admin.getByRole('group', { name: 'the link to a new password' }).textContent();
  await admin.getByRole('button', { name: 'Done' }).click();

  const bo = await openWindow(t, [401, 410]);
  await bo.goto(link!);
  await bo.getByRole('heading', { level: 1, name: 'Choose a new password' }).waitFor();
  assert.equal(await bo.getByLabel('Your name').count(), 0);
  await choosePassword(bo, link!, OTHER);
  await atHome(bo);
  await turnedOut(lost);
  await enter(lost, gateway, 'bo@corp.example', PASSWORD);
  await lost.getByText('do not belong together').waitFor();
});

test('an admin changes the groups of a local account, whose open page shows what they may use now', {
  skip,
}, async t => {
  const crm = { id: 'crm', name: 'Customers', kind: 'http', url: 'http://127.0.0.1:9' };
  const { admin } = await startTeam(t, {
    upstreams: [{ ...crm, credential: { use: 'none' }, access: { groups: ['sales'] } }],
  });
  const bo = await join(t, admin, 'bo@corp.example', 'ops');
  await bo.getByText(/^Live/).waitFor();
  assert.equal(await bo.getByText('Ready', { exact: true }).count(), 0);
  await admin.getByRole('button', { name: 'Groups of bo@corp.example' }).click();
  await admin.getByRole('textbox', { name: 'Groups' }).fill('eng, sales');
  await admin.getByRole('button', { name: 'Save' }).click();
  await admin.getByRole('list', { name: 'Users' }).getByText('eng, sales').waitFor();
  await bo.getByText('Ready', { exact: true }).waitFor();
});

test('removing somebody says what goes with them, and ends their windows within five seconds', {
  skip,
}, async t => {
  const { gateway, provider } = await startHouse(t);
  const alice = await openWindow(t, [401]);
  await signIn(alice, gateway);
  await alice.goto(`${gateway.url}/account`);
  await alice.getByRole('button', { name: 'Make a key' }).click();
  await alice.getByLabel('Name').fill('laptop');
  await alice.getByRole('button', { name: 'Make the key' }).click();
  await alice.getByRole('button', { name: 'I have it' }).click();
  provider.account = 'root';
  const admin = await openWindow(t, [401]);
  await signIn(admin, gateway);
  await admin.goto(`${gateway.url}/admin/users`);
  await admin.getByRole('button', { name: 'Remove Alice Moreau' }).click();
  const dialog = admin.getByRole('dialog');
  for (const line of [
    '1 session is signed out',
    '1 gateway key stops working',
    '1 connected account is forgotten',
  ])
    await dialog.getByText(line).waitFor();
  assert.deepEqual(await faultsOf(admin), []);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await admin.getByRole('heading', { name: 'Alice Moreau', exact: true }).waitFor();

  await admin.getByRole('button', { name: 'Remove Alice Moreau' }).click();
  await dialog.getByRole('button', { name: 'Remove for good' }).click();
  await turnedOut(alice, '/account');
  await admin.getByRole('heading', { name: 'Alice Moreau', exact: true }).waitFor({ state: 'detached' });
  assert.equal(provider.revocations, 1);
  await admin.goto(`${gateway.url}/admin/audit?action=user.remove`);
  await admin
    .getByRole('list', { name: /^Audit entries/ })
    .getByText('user.remove')
    .click();
  await admin.getByText('alice@corp.example').waitFor();
});

test('markup in an invitation stays text wherever it is shown', { skip }, async t => {
  const { gateway, admin } = await startTeam(t);
  const assertText = async (page: Page) => {
    assert.equal(await page.locator('#root img').count(), 0);
    assert.doesNotMatch(await page.title(), /pwned/);
  };
  // The address by the API: the browser's own field refuses it.
  const made = await admin.request.post(`${gateway.url}/api/v1/invitations`, {
    data: { email: `${XSS}@corp.example`, name: XSS, groups: [XSS] },
  });
  await admin.getByRole('list', { name: 'Invitations' }).getByText(XSS).first().waitFor();
  await assertText(admin);
  const { link } = (await made.json()) as { link: string };
  const eve = await openWindow(t, [401]);
  await eve.goto(link);
  await eve.getByText(`${XSS}@corp.example`).waitFor();
  await assertText(eve);
  await choosePassword(eve, link, PASSWORD);
  await atHome(eve);
  await eve.goto(`${gateway.url}/account`);
  await eve.getByRole('button', { name: 'Change password' }).click();
  await assertText(eve);
  await admin.getByRole('heading', { name: XSS, exact: true }).waitFor();
  await admin.getByRole('button', { name: `New password for ${XSS}` }).click();
  await assertText(admin);
  await admin.goto(`${gateway.url}/admin/audit?action=invitation.*`);
  await admin.getByText('invitation.accept').first().waitFor();
  await assertText(admin);
});
