/// <reference lib="dom" />
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import axe from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import { findChromium, launchChromium } from '../packages/web/test/chromium.ts';
import { startFixtureGateway } from '../packages/web/test/fixture-gateway.ts';

/**
 * Takes the pictures in `docs/images/console` and, with `--all`, every page at both sizes in both themes. Each page is also
 * checked by axe: any finding, anything the Content-Security-Policy refused and any sideways scrolling fails the run.
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

const SHOTS: Shot[] = [
  { name: 'sign-in', path: '/sign-in' },
  { name: 'invite', path: '/invite/abc' },
  { name: 'home', path: '/', prepare: page => page.getByText('How to use Corp models').click() },
  { name: 'account', path: '/account' },
  { name: 'new-key', path: '/account', prepare: press('Make a key') },
  { name: 'users', path: '/admin/users' },
  { name: 'remove-user', path: '/admin/users', prepare: press('Remove Bo Lindqvist') },
  { name: 'upstreams', path: '/admin/upstreams', prepare: press('Test the connection to Corp models') },
  { name: 'add-upstream', path: '/admin/upstreams', prepare: press('Add an upstream') },
  { name: 'providers', path: '/admin/providers' },
  { name: 'audit', path: '/admin/audit', prepare: page => page.getByText('key.create').click() },
  { name: 'health', path: '/admin/health' },
];
/** What the documents show besides every page by day on a desktop. */
const ALSO = new Set([
  'home dark desktop',
  'sign-in dark desktop',
  'home light phone',
  'account light phone',
]);

const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
  narrow: { width: 320, height: 640 },
};
const out = resolve(import.meta.dirname, '..', options.out);
let faults = 0;

mkdirSync(out, { recursive: true });
const gateway = await startFixtureGateway();
const executable = findChromium();
if (executable === null) throw new Error('no Chromium was found: set CHROMIUM_PATH');
const browser = await launchChromium(executable);
for (const [size, viewport] of Object.entries(SIZES)) {
  for (const theme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: 'reduce' });
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
await gateway.close();
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
  const wide = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  if (wide > 0) fault(`the page is ${wide} px too wide`);
  await growToFit(page);
  await page.screenshot({ path: join(out, `${kind.replaceAll(' ', '-')}.png`) });
  for (const finding of await axeFindings(page)) fault(finding);
  await page.close();
}

/** The window as tall as its page, so that what sticks to its edges is where it would be; a dialog keeps the usual window. */
async function growToFit(page: Page): Promise<void> {
  if ((await page.locator('dialog[open]').count()) > 0) return;
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: page.viewportSize()!.width, height });
}

/** axe comes in by the debugger, not as a script of the page: the policy stays as it is. */
async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
    return violations.map(
      ({ id, impact, nodes }) =>
        `axe ${impact} ${id}: ${nodes.slice(0, 3).map(node => `${node.html.slice(0, 140)} ${node.failureSummary}`)}`,
    );
  });
}
