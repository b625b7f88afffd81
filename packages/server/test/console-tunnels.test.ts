import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { startAgent } from './fixtures/agent.ts';
import { openWindow, signIn, skip, startHouse, useChromium } from './fixtures/console.ts';
import { faultsOf } from './fixtures/console-faults.ts';

useChromium();

const XSS = `"><img src=x onerror="document.title='pwned'">`;
const EVERYTHING = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

async function house(t: TestContext) {
  const { gateway, provider, upstream } = await startHouse(t, {
    accounts: {
      alice: { name: 'Alice Moreau', groups: ['engineering'] },
      bo: { name: 'Bo Lindqvist', groups: ['support'] },
      root: { name: 'Root Admin', groups: ['ai-admins'] },
    },
  });
  const enter = async (account: string, expected: readonly number[] = []) => {
    provider.account = account;
    const page = await openWindow(t, [401, ...expected]);
    await signIn(page, gateway);
    await page.getByRole('link', { name: 'Tunnels' }).click();
    await page.getByText(/^Live/).waitFor();
    return page;
  };
  const home = mkdtempSync(join(tmpdir(), 'sallyport-agent-'));
  t.after(() => rmSync(home, { recursive: true }));
  return { gateway, upstream, enter, home };
}

const entry = (page: Page, name: string): Locator =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });
const shown = async (page: Page, what: string): Promise<string> =>
  (await page.getByRole('group', { name: what }).textContent())!;
/** The words of a command as a shell would part them, without the program's own name. */
const wordsOf = (command: string): string[] => command.replaceAll('\\\n', ' ').split(/\s+/).slice(1);
const keyFrom = async (page: Page): Promise<string> =>
  page.evaluate(async () => {
    const draft = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"agent"}',
    };
    return ((await (await fetch('/api/v1/keys', draft)).json()) as { key: string }).key;
  });

test('the commands of the page, as they stand, bring a program and a web server, which show by themselves', {
  skip,
}, async t => {
  const { gateway, upstream, enter, home } = await house(t);
  const alice = await enter('alice');
  await alice.getByRole('heading', { name: 'Connect your first' }).waitFor();
  assert.deepEqual(await faultsOf(alice), []);

  const login = startAgent(t, wordsOf(await shown(alice, 'the login command')), { HOME: home });
  const [, code] = await login.says(/agent-login#([A-Z]{4}-[A-Z]{4})/);
  const other = await alice.context().newPage();
  await other.goto(`${gateway.url}/agent-login`);
  await other.getByLabel('The code').fill(code!);
  await other.getByRole('button', { name: 'Continue' }).click();
  await other.getByRole('button', { name: 'Let it in' }).click();
  await login.says(/The key is in/);
  await other.close();

  await alice.getByText('Waiting for everything').waitFor();
  const command = (await shown(alice, "the agent's command")).replace(
    'npx -y @modelcontextprotocol/server-everything',
    `${process.execPath} ${EVERYTHING}`,
  );
  const agent = startAgent(t, wordsOf(command), { HOME: home });
  await agent.says(/connected {2}everything/);
  await entry(alice, 'alice/everything')
    .getByText(/^Connected/)
    .waitFor();
  await entry(alice, 'alice/everything').getByText('MCP program').waitFor();

  // Shared with nobody as yet, and some of its tools are for nobody at all.
  await alice.getByRole('button', { name: 'Share alice/everything' }).click();
  const dialog = alice.getByRole('dialog');
  await dialog.getByLabel('Never these').fill('get-env, gzip_*');
  assert.deepEqual(await faultsOf(alice), []);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  const rules = () =>
    alice.evaluate(async () => {
      const { items } = (await (await fetch('/api/v1/tunnels')).json()) as { items: { tools: unknown }[] };
      return items[0]!.tools;
    });
  assert.deepEqual(await rules(), { deny: ['get-env', 'gzip_*'] });

  await alice.getByRole('button', { name: 'Connect a server' }).click();
  await dialog.getByText('Waiting for everything-2').waitFor();
  await dialog.getByRole('tab', { name: 'By a key' }).click();
  await dialog.getByRole('button', { name: 'Make a key for an agent' }).click();
  const [, key] = /^export SALLYPORT_KEY=(sp_.+)$/.exec(await shown(alice, "the agent's key"))!;
  await dialog.getByRole('tab', { name: 'A web server' }).click();
  await dialog.getByLabel('What it is to be called').fill('My Site!');
  await dialog.getByText(`${gateway.url}/u/alice/my-site-`).waitFor();
  await dialog.getByLabel('What it is to be called').fill('docs');
  assert.deepEqual(await faultsOf(alice), []);
  const web = (await shown(alice, "the agent's command")).replace('http://localhost:8080', upstream.url);
  const second = startAgent(t, wordsOf(web), { SALLYPORT_KEY: key! });
  await dialog.getByText('alice/docs is connected').waitFor();
  await alice.keyboard.press('Escape');

  // Its figures follow by themselves.
  const status = await alice.evaluate(async () => (await fetch('/u/alice/docs/x')).status);
  assert.equal(status, 200);
  await entry(alice, 'alice/docs')
    .getByText(/Calls\s*1$/)
    .waitFor();
  await entry(alice, 'alice/docs')
    .getByText(/on average/)
    .waitFor();

  await second.kill();
  await entry(alice, 'alice/docs').getByText(/^Away/).waitFor();
  const third = startAgent(t, wordsOf(web), { SALLYPORT_KEY: key! });
  await entry(alice, 'alice/docs')
    .getByText(/^Connected/)
    .waitFor();
  assert.equal(await alice.evaluate(async () => (await fetch('/u/alice/docs/x')).status), 200);

  await third.kill();
  await alice.getByRole('button', { name: 'Forget alice/docs' }).click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Forget', exact: true }).click();
  await entry(alice, 'alice/docs').waitFor({ state: 'detached' });
});

test('who a tunnel is shared with sees it come and go; an admin sees it in any case, names it and ends it', {
  skip,
}, async t => {
  const { gateway, upstream, enter } = await house(t);
  const alice = await enter('alice');
  const bring = async (...more: string[]) => {
    const env = { SALLYPORT_KEY: await keyFrom(alice) };
    return startAgent(t, ['--gateway', gateway.url, ...more, '--web', upstream.url], env);
  };
  const agent = await bring('--name', 'wiki', '--title', XSS);
  await entry(alice, XSS).getByText('Connected').waitFor();
  assert.equal(await alice.getByRole('button', { name: 'Plain name' }).count(), 0);

  const root = await enter('root', [409]);
  await entry(root, XSS).getByText('of Alice Moreau').waitFor();
  await root.getByText('You have none.').waitFor();
  await root.getByRole('button', { name: 'Plain name of alice/wiki' }).click();
  const asked = root.getByRole('dialog');
  await asked.getByLabel('Plain name').fill('corp-llm');
  await asked.getByRole('button', { name: 'Save' }).click();
  await asked.getByText("is an upstream's or a user's already").waitFor();
  await asked.getByLabel('Plain name').fill('wiki');
  await asked.getByRole('button', { name: 'Save' }).click();
  await entry(alice, XSS).getByText('Plain name').waitFor();
  assert.equal(await alice.evaluate(async () => (await fetch('/u/wiki/x')).status), 200);

  const bo = await enter('bo');
  await bo.getByRole('heading', { name: 'Connect your first' }).waitFor();
  const share = async (choice: string, groups?: string) => {
    await alice.getByRole('button', { name: 'Share alice/wiki' }).click();
    const dialog = alice.getByRole('dialog');
    await dialog.getByLabel(choice).check();
    if (groups !== undefined) await dialog.getByLabel('Groups', { exact: true }).fill(groups);
    assert.deepEqual(await faultsOf(alice), []);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  await share('Some people or groups', 'AI team, support');
  await entry(bo, XSS).getByText('of Alice Moreau').waitFor();
  await bo.getByRole('heading', { name: 'Shared with me' }).waitFor();
  assert.equal(await entry(bo, XSS).getByRole('button').count(), 0);
  assert.doesNotMatch((await entry(bo, XSS).textContent())!, /127\.0\.0\.1|shared with/);
  assert.equal(await bo.evaluate(async () => (await fetch('/u/alice/wiki/x')).status), 200);
  await entry(alice, XSS).getByText('shared with group AI team, group support').waitFor();
  await share('Only its owner');
  await entry(bo, XSS).waitFor({ state: 'detached' });
  await share('Everyone who signed in');
  await entry(bo, XSS).waitFor();

  await root.getByRole('button', { name: 'Disconnect alice/wiki' }).click();
  await asked.getByText('1 person or group loses it: everyone').waitFor();
  await asked.getByText('1 plain name is free again: wiki').waitFor();
  for (const colorScheme of ['light', 'dark'] as const) {
    await bo.emulateMedia({ colorScheme });
    for (const width of [320, 1280]) {
      await bo.setViewportSize({ width, height: 800 });
      assert.deepEqual(await faultsOf(bo), [], `the list, ${colorScheme} at ${width}`);
    }
  }
  assert.deepEqual(await faultsOf(root), []);
  await asked.getByRole('button', { name: 'Disconnect', exact: true }).click();
  await agent.says(/its owner or an admin disconnected it/);
  assert.equal(await agent.ended, 3);
  for (const page of [alice, bo, root]) {
    await entry(page, XSS).waitFor({ state: 'detached' });
    assert.equal(await page.locator('#root img').count(), 0);
    assert.doesNotMatch(await page.title(), /pwned/);
  }
});

test("another's tunnel does not exist, and another site moves nobody's browser to change one", {
  skip,
}, async t => {
  const { gateway, upstream, enter } = await house(t);
  const alice = await enter('alice', [403]);
  const agent = startAgent(t, ['--gateway', gateway.url, '--name', 'wiki', '--web', upstream.url], {
    SALLYPORT_KEY: await keyFrom(alice),
  });
  await agent.says(/connected/);
  const id = await alice.evaluate(async () => {
    const { items } = (await (await fetch('/api/v1/tunnels')).json()) as { items: { id: string }[] };
    return items[0]!.id;
  });
  const bo = await enter('bo', [403, 404]);
  const statuses = await bo.evaluate(async tunnel => {
    const change = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{}' };
    const path = `/api/v1/tunnels/${tunnel}`;
    const answers = [fetch(`${path}/consequences`), fetch(path, change), fetch(path, { method: 'DELETE' })];
    return (await Promise.all(answers)).map(({ status }) => status);
  }, id);
  assert.deepEqual(statuses, [404, 404, 404]);
  assert.equal(await bo.getByText('alice/wiki').count(), 0);

  const cookie = (await alice.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  for (const method of ['PATCH', 'DELETE']) {
    const answer = await fetch(`${gateway.url}/api/v1/tunnels/${id}`, {
      method,
      headers: { cookie, origin: 'https://evil.example', 'content-type': 'application/json' },
      body: method === 'PATCH' ? '{"shared":{"everyone":true,"users":[],"groups":[]}}' : '{}',
    });
    assert.equal(answer.status, 403, method);
  }
  await entry(alice, 'alice/wiki').getByText('Connected').waitFor();
});
