import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { openWindow, signIn, skip, startHouse, useChromium } from './fixtures/console.ts';
import { faultsOf } from './fixtures/console-faults.ts';
import { startModernServer } from './fixtures/mcp-servers.ts';
import { startTerminalServer } from './fixtures/terminal-server.ts';

useChromium();

const run = promisify(execFile);

const PAGES = {
  '/': 'Upstreams I may use',
  '/account': 'My account',
  '/tunnels': 'Tunnels',
  '/admin/users': 'Users',
  '/admin/upstreams': 'Upstreams',
  '/admin/providers': 'Providers',
  '/admin/audit': 'Audit',
  '/admin/health': 'Health',
  '/no/such/page': 'Not found',
};
const SIZES = [
  { width: 1280, height: 800 },
  { width: 320, height: 640 },
];

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every page is whole for a screen reader and on a phone, ${colorScheme}`, { skip }, async t => {
    const { gateway, provider } = await startHouse(t);
    provider.account = 'root';
    const page = await openWindow(t, [401, 404]);
    await page.emulateMedia({ colorScheme });
    const assertWhole = async (path: string) => {
      for (const size of SIZES) {
        await page.setViewportSize(size);
        assert.deepEqual(await faultsOf(page), [], `${path} at ${size.width}`);
      }
    };

    await page.goto(`${gateway.url}/sign-in`);
    await page.getByRole('link', { name: 'Continue with Corp SSO' }).waitFor();
    await assertWhole('/sign-in');
    await signIn(page, gateway);
    for (const [path, title] of Object.entries(PAGES)) {
      await page.goto(gateway.url + path);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.locator('.loading').first().waitFor({ state: 'detached' });
      await assertWhole(path);
    }
  });
}

test('a dialog keeps the focus inside, Escape closes it, and the focus goes back to its button', {
  skip,
}, async t => {
  const { gateway } = await startHouse(t);
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);
  await page.goto(`${gateway.url}/account`);
  const button = page.getByRole('button', { name: 'Disconnect Corp SSO' });
  await button.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  for (let step = 0; step < 8; step++) {
    await page.keyboard.press('Tab');
    assert.ok(await focusIsIn(page, 'dialog'));
  }
  assert.deepEqual(await faultsOf(page), []);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(await button.evaluate(element => element === element.ownerDocument.activeElement));
});

/** Whether the focus is within such an element, or in the browser's own bars. */
const focusIsIn = (page: Page, selector: string): Promise<boolean> =>
  page
    .locator(':focus')
    .evaluateAll((found, wanted) => found.length === 0 || found[0]!.closest(wanted) !== null, selector);

async function tabTo(page: Page, selector: string): Promise<void> {
  for (let stops = 0; stops < 8; stops++) {
    await page.keyboard.press('Tab');
    if (await focusIsIn(page, selector)) return;
  }
  assert.fail(`no ${selector} within eight stops`);
}

test('the keyboard alone leads from the top of the home page to its snippets', { skip }, async t => {
  const { gateway } = await startHouse(t);
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);
  await page.getByText('How to use Corp models').waitFor();
  await page.keyboard.press('Tab');
  assert.ok(await focusIsIn(page, '.skip'), 'the first stop skips the menu');
  await page.keyboard.press('Enter');
  await tabTo(page, 'summary');
  await page.keyboard.press('Enter');
  const tabs = page.getByRole('tablist');
  await tabs.waitFor();
  await tabTo(page, '[role=tab]');
  await page.keyboard.press('ArrowRight');
  await page.getByRole('tab', { name: 'Python', selected: true }).waitFor();
  await page.getByText('from openai import OpenAI').waitFor();
  assert.equal(await tabs.locator('[tabindex="0"]').count(), 1);
});

test('the snippets are calls that this gateway answers', { skip }, async t => {
  const [modern, shells] = [await startModernServer(t), await startTerminalServer(t, 'orchestrator-0.2')];
  const { gateway, upstream } = await startHouse(t, {
    upstreams: [
      { id: 'tools', name: 'Tools', kind: 'mcp', url: modern.url },
      { id: 'pods', name: 'Pods', kind: 'terminal', url: shells.url },
    ].map(one => ({
      ...one,
      access: { everyone: true },
      ...(one.kind === 'terminal' ? { credential: { use: 'key', key: shells.key } } : {}),
    })),
  });
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);
  const key = (await gateway.command('keys', 'create', '--user', 'alice@corp.example')).stdout.trim();
  const env = { ...process.env, SALLYPORT_KEY: key };
  const snippet = async (of: string, name: string) => {
    const entry = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: of }) });
    if ((await entry.getByRole('tab').count()) === 0) await entry.getByText(`How to use ${of}`).click();
    await entry.getByRole('tab', { name, exact: true }).click();
    return (await entry.getByRole('tabpanel').locator('code').first().textContent())!;
  };
  const said = async (of: string, name: string, before = '') =>
    (await run('sh', ['-c', before + (await snippet(of, name))], { env })).stdout;

  assert.match(await said('Corp models', 'curl'), /"choices"/);
  const script = ['--input-type=module-typescript', '--eval', await snippet('Corp models', 'TypeScript')];
  assert.match((await run(process.execPath, script, { env, cwd: import.meta.dirname })).stdout, /\w/);
  assert.equal(upstream.requests.length, 2);

  assert.match(await said('Tools', 'curl'), /"tools":\[.*"echo"/s);
  const shown = JSON.parse(await snippet('Tools', 'MCP client JSON')) as {
    mcpServers: { tools: { url: string } };
  };
  assert.equal(shown.mcpServers.tools.url, `${gateway.url}/mcp/tools`);

  // What websocat would be called with is a terminal of hers.
  const place = await said('Pods', 'curl and websocat', 'websocat() { echo "$4"; }\n');
  const terminal = await fetch(place.trim().replace(/^ws/, 'http'), {
    headers: { authorization: `Bearer ${key}` },
  });
  assert.equal(terminal.status, 200, place);
});

test('a chosen theme outlives the page', { skip }, async t => {
  const { gateway } = await startHouse(t);
  const page = await openWindow(t, [401]);
  await signIn(page, gateway);
  await page.getByRole('button', { name: 'Dark theme' }).click();
  await page.reload();
  await page.getByRole('button', { name: 'Light theme' }).waitFor();
  assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
});
