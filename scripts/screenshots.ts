/// <reference lib="dom" />
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BrowserContext, Page } from 'playwright-core';
import { findChromium, launchChromium } from '../packages/server/test/fixtures/chromium.ts';
import { bringTunnels, startCompany, workAsAda } from '../packages/server/test/fixtures/company.ts';
import { faultsOf } from '../packages/server/test/fixtures/console-faults.ts';
import { buildConsole } from '../packages/web/build.ts';

/**
 * Takes the pictures in `docs/images/console` of a real gateway with a real provider behind it and, with `--all`, every page at every
 * size in both themes. Any finding of axe, anything the Content-Security-Policy refused and any sideways scrolling fails the run.
 */
const { values: options } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    out: { type: 'string', default: 'docs/images/console' },
    only: { type: 'string' },
  },
});

interface Shot {
  name: string;
  path: string;
  prepare?: (page: Page) => Promise<unknown>;
}

const press = (name: string) => (page: Page) => page.getByRole('button', { name, exact: true }).click();

/** Where the link leads that an admin passes on. */
async function inviteFio(page: Page): Promise<void> {
  await press('Invite someone')(page);
  await page.getByLabel('Email').fill('fio@partner.example');
  await page.getByLabel('Name').fill('Fio Nakamura');
  await press('Make the link')(page);
  const link = await page.getByRole('group', { name: 'the invitation link' }).textContent();
  await page.goto(link!);
  await page.getByText('fio@partner.example').waitFor();
}

/** What an agent that wants to be let in shows its user. */
async function agentAsks(page: Page): Promise<void> {
  const begun = await page.request.post(`${gateway.url}/api/v1/agent-logins`, {
    data: { name: 'agent on lab-machine' },
  });
  const { user_code } = (await begun.json()) as { user_code: string };
  await page.getByLabel('The code').fill(user_code);
  await press('Continue')(page);
  await page.getByRole('button', { name: 'Let it in' }).waitFor();
}

/** A tool's form, filled in, and its answer. */
async function callSum(page: Page): Promise<void> {
  const tool = page
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: 'Get Sum Tool' }) });
  await page.getByLabel('Find a tool').fill('get');
  await tool.getByText('Call Get Sum Tool').click();
  await tool.getByLabel('a', { exact: true }).fill('19');
  await tool.getByLabel('b', { exact: true }).fill('23');
  await tool.getByRole('button', { name: 'Call it' }).click();
  await tool.getByText('It answered').waitFor();
  await tool.getByText('Messages of this call').click();
}

/** A terminal in the middle of somebody's work. */
async function atWork(page: Page): Promise<void> {
  const terminals = `${gateway.url}/terminals/build/api/terminals`;
  for (const { id } of (await (await page.request.get(terminals)).json()) as { id: string }[])
    await page.request.delete(`${terminals}/${id}`);
  await press('New terminal on Build machine')(page);
  const line = async (text: string) => {
    await page.locator('.terminal-state').getByText('Connected').waitFor();
    await page.keyboard.type(`${text}\n`);
    await page.waitForTimeout(250);
  };
  await line('mkdir -p site/{pages,assets} && cd site && touch README.md build.sh && chmod +x build.sh');
  await line(
    String.raw`printf '#!/bin/sh\necho "\033[32m✓\033[0m 214 tests passed, \033[33m2 skipped\033[0m"\necho "see https://ci.corp.example/runs/5521"\n' > build.sh`,
  );
  await line(String.raw`printf '\033]0;site: build\007'; clear`);
  await line('ls -l --color=always');
  await line('./build.sh');
}

/** What was recorded of it, played to its end. */
async function playedBack(page: Page): Promise<void> {
  await page.goto(gateway.url);
  await atWork(page);
  await page.keyboard.type('exit\n');
  await page.locator('.terminal-state').getByText('Ended').waitFor();
  await page.goto(`${gateway.url}/recordings`);
  await page.getByRole('button', { name: /^Play/ }).first().click();
  await page.getByRole('slider', { name: 'Time' }).press('End');
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await page.locator('.player .xterm-rows').getByText('214 tests passed').waitFor();
}

const SHOTS: Shot[] = [
  { name: 'sign-in', path: '/sign-in' },
  { name: 'home', path: '/', prepare: page => page.getByText('How to use Corp models').click() },
  { name: 'account', path: '/account' },
  { name: 'new-key', path: '/account', prepare: press('Make a key') },
  { name: 'tunnels', path: '/tunnels' },
  { name: 'connect-tunnel', path: '/tunnels', prepare: press('Connect a server') },
  { name: 'agent-login', path: '/agent-login', prepare: agentAsks },
  { name: 'tools', path: '/tools/ada/everything', prepare: callSum },
  { name: 'users', path: '/admin/users' },
  { name: 'remove-user', path: '/admin/users', prepare: press('Remove Bo Lindqvist') },
  { name: 'invite', path: '/admin/users', prepare: inviteFio },
  { name: 'upstreams', path: '/admin/upstreams', prepare: press('Test the connection to Corp models') },
  { name: 'add-upstream', path: '/admin/upstreams', prepare: press('Add an upstream') },
  { name: 'providers', path: '/admin/providers' },
  { name: 'add-provider', path: '/admin/providers', prepare: press('Add a provider') },
  { name: 'terminal', path: '/', prepare: atWork },
  { name: 'recordings', path: '/recordings', prepare: playedBack },
  { name: 'audit', path: '/admin/audit', prepare: page => page.getByText('key.create').first().click() },
  { name: 'health', path: '/admin/health' },
];
/** What the documents show besides every page by day on a desktop. */
const ALSO = new Set([
  'home dark desktop',
  'sign-in dark desktop',
  'home light phone',
  'account light phone',
  'tools dark desktop',
  'tunnels light phone',
  'terminal dark desktop',
  'terminal light phone',
]);

const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
  narrow: { width: 320, height: 640 },
};
const out = resolve(import.meta.dirname, '..', options.out);
let faults = 0;

const executable = findChromium();
if (executable === null) throw new Error('no Chromium was found: set CHROMIUM_PATH');
mkdirSync(out, { recursive: true });
await buildConsole();
const closing: (() => unknown)[] = [];
const t = { after: (close: unknown) => void closing.unshift(close as () => unknown) };
const company = await startCompany(t);
const { gateway } = company;
const browser = await launchChromium(executable);
const ada = await browser.newContext();
await workAsAda(ada, gateway);
await bringTunnels(t, company);
const storageState = await ada.storageState();
for (const [size, viewport] of Object.entries(SIZES)) {
  for (const theme of ['light', 'dark'] as const) {
    const context = await browser.newContext({
      viewport,
      storageState,
      colorScheme: theme,
      reducedMotion: 'reduce',
    });
    for (const shot of SHOTS) {
      const kind = `${shot.name} ${theme} ${size}`;
      if (options.only !== undefined && !kind.includes(options.only)) continue;
      if (options.all || (theme === 'light' && size === 'desktop') || ALSO.has(kind))
        await take(context, shot, kind);
    }
    await context.close();
  }
}
await browser.close();
for (const close of closing) await close();
process.exitCode = faults === 0 ? 0 : 1;

async function take(context: BrowserContext, shot: Shot, kind: string): Promise<void> {
  const page = await context.newPage();
  const fault = (text: string) => {
    faults++;
    console.log(`${kind}: ${text}`);
  };
  page.on('console', message => {
    if (message.type() === 'error') fault(message.text());
  });
  page.on('pageerror', error => fault(String(error)));
  await page.goto(gateway.url + shot.path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
  await shot.prepare?.(page);
  await page.waitForTimeout(150);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  await growToFit(page);
  await page.screenshot({ path: join(out, `${kind.replaceAll(' ', '-')}.png`) });
  for (const found of await faultsOf(page)) fault(found);
  await page.close();
}

/** The window as tall as its page, so that what sticks to its edges is where it would be; a dialog keeps the usual window. */
async function growToFit(page: Page): Promise<void> {
  if ((await page.locator('dialog[open]').count()) > 0) return;
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: page.viewportSize()!.width, height });
}
