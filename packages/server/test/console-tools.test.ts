import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { startAgent } from './fixtures/agent.ts';
import { openWindow, signIn, skip, startHouse, useChromium } from './fixtures/console.ts';
import { faultsOf } from './fixtures/console-faults.ts';
import { startModernServer } from './fixtures/mcp-servers.ts';

useChromium();

const EVERYTHING = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);
const STRANGE = fileURLToPath(new URL('fixtures/mcp-strange.ts', import.meta.url));
const XSS = `"><img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`;

/** Somebody's browser, on the page of the tools of a program that their agent brings. */
async function atTools(t: TestContext, name: string, program: string, more: readonly string[] = []) {
  const modern = await startModernServer(t);
  const { gateway, provider } = await startHouse(t, {
    accounts: { alice: { name: 'Alice Moreau', groups: [] }, bo: { name: 'Bo Lindqvist', groups: [] } },
    upstreams: [
      { id: 'new', name: 'Modern tools', kind: 'mcp', url: modern.url, access: { everyone: true } },
    ],
  });
  const page = await openWindow(t, [401, 400, 403, 404, 502]);
  await signIn(page, gateway);
  const key = await page.evaluate(async () => {
    const draft = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"agent"}',
    };
    return ((await (await fetch('/api/v1/keys', draft)).json()) as { key: string }).key;
  });
  const bring = () =>
    startAgent(t, ['--gateway', gateway.url, '--name', name, ...more, '--', process.execPath, program], {
      SALLYPORT_KEY: key,
    });
  const agent = bring();
  await agent.says(/connected/);
  await page.getByRole('link', { name: 'Tunnels' }).click();
  await page.getByRole('link', { name: 'Try its tools' }).click();
  await page.getByRole('list', { name: 'Tools' }).waitFor();
  return { gateway, provider, page, agent, bring, modern };
}

const tool = (page: Page, name: string): Locator =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });
async function open(page: Page, name: string): Promise<Locator> {
  const found = tool(page, name);
  await found.locator('summary').first().click();
  return found;
}
const call = (found: Locator) => found.getByRole('button', { name: 'Call it' }).click();
const answer = (found: Locator) => found.getByRole('group', { name: 'the text' });

test('tools behind a tunnel are listed, and called by forms; pictures, structure, progress and questions of the server show', {
  skip,
}, async t => {
  const { page, agent, bring } = await atTools(t, 'everything', EVERYTHING, ['--isolate', 'principal']);
  await page.getByText(/^Connected/).waitFor();
  const sum = await open(page, 'Get Sum Tool');
  await call(sum);
  assert.equal(await sum.getByText('It answered').count(), 0, 'a required number is asked for first');
  await sum.getByLabel('a', { exact: true }).fill('3');
  await sum.getByLabel('b', { exact: true }).fill('4.5');
  await call(sum);
  await answer(sum).getByText('The sum of 3 and 4.5 is 7.5.').waitFor();
  assert.deepEqual(await faultsOf(page), []);

  const image = await open(page, 'Get Tiny Image Tool');
  await call(image);
  await image.getByAltText('What the tool sent').waitFor();
  assert.ok(await image.locator('img').evaluate(img => (img as HTMLImageElement).naturalWidth > 0));

  const structured = await open(page, 'Get Structured Content Tool');
  await structured.getByLabel('location').selectOption('Chicago');
  await call(structured);
  await structured.getByRole('group', { name: 'the structured result' }).getByText('"temperature"').waitFor();

  const long = await open(page, 'Trigger Long Running Operation Tool');
  await long.getByLabel('duration').fill('4');
  await long.getByLabel('steps').fill('4');
  await Promise.all([long.getByText(/Step \d of 4/).waitFor(), call(long)]);
  await answer(long).getByText('Long running operation completed').waitFor();
  await long.getByLabel('duration').fill('60');
  await call(long);
  await long.getByText(/Calling/).waitFor();
  await long.getByRole('button', { name: 'Stop' }).click();
  await long.getByRole('button', { name: 'Call it' }).waitFor();

  const asking = await open(page, 'Trigger Elicitation Request Tool');
  await call(asking);
  const question = asking.getByRole('group', { name: 'The server asks' });
  await question.waitFor();
  await question.getByRole('button', { name: 'Decline' }).click();
  await answer(asking)
    .first()
    .getByText(/declined/i)
    .waitFor();
  await call(asking);
  await question.getByLabel('String', { exact: true }).fill('Alice Moreau');
  await question.getByLabel('Boolean').check();
  await question.getByRole('button', { name: 'Answer' }).click();
  await answer(asking).getByText('Name: Alice Moreau').waitFor();

  const messages = page.getByRole('region', { name: 'Messages' });
  const sent = messages.getByRole('listitem').filter({ hasText: 'tools/call get-sum' });
  await sent.locator('summary').click();
  await sent.getByText('"method": "tools/call"').waitFor();
  await messages.getByRole('button', { name: 'Clear' }).click();
  await messages.waitFor({ state: 'detached' });

  await agent.kill();
  await page.getByText('Its agent is away: calls fail until it is back.').waitFor();
  await call(sum);
  await sum.getByText(/is not connected/).waitFor();
  const back = bring();
  await back.says(/connected/);
  await page.getByText(/^Connected/).waitFor();
  await call(sum);
  await answer(sum).getByText('The sum of 3 and 4.5 is 7.5.').waitFor();
});

test('a form writes what the schema says, of every kind of value, and JSON is the way out', {
  skip,
}, async t => {
  const { page } = await atTools(t, 'strange', STRANGE);
  const echo = await open(page, 'Echo of arguments');
  const said = async () => {
    await call(echo);
    await echo.getByText('It answered').waitFor();
    return JSON.parse((await answer(echo).textContent())!) as unknown;
  };
  await echo.getByLabel('Text', { exact: true }).fill('two\nlines');
  await echo.getByLabel('Whole').fill('7');
  await echo.getByLabel('City').fill('Bergen');
  const least = { text: 'two\nlines', whole: 7, must: false, where: { city: 'Bergen' } };
  assert.deepEqual(await said(), least);

  await echo.getByLabel('Share').fill('0.25');
  await echo.getByLabel('Sure').check();
  await echo.getByLabel('Colour').selectOption('green');
  await echo.getByLabel('Level').selectOption('High');
  await echo.getByLabel('Maybe').fill('yes');
  const tags = echo.getByRole('group', { name: 'Tags' });
  for (const tag of ['a', 'b', 'c']) {
    await tags.getByRole('button', { name: 'Add to Tags' }).click();
    await tags.getByRole('textbox').last().fill(tag);
  }
  await tags.getByRole('button', { name: 'Drop 2 of Tags' }).click();
  await echo.getByLabel('tue').check();
  await echo.getByRole('button', { name: 'Add to People' }).click();
  await echo.getByLabel('Full name').fill('Ada');
  await echo.getByRole('button', { name: 'Fill it in: parent (optional)' }).first().click();
  await echo.getByLabel('Full name').last().fill('Bo');
  await echo.getByLabel('Anything').fill('{ "x": [1, null] }');
  assert.deepEqual(await faultsOf(page), []);
  const most = {
    ...least,
    share: 0.25,
    sure: true,
    colour: 'green',
    level: 2,
    maybe: 'yes',
    tags: ['a', 'c'],
    days: ['tue'],
    people: [{ name: 'Ada', parent: { name: 'Bo' } }],
    anything: { x: [1, null] },
  };
  assert.deepEqual(await said(), most);

  await echo.getByLabel('Write the arguments as JSON').check();
  const json = echo.getByRole('textbox', { name: 'Arguments' });
  assert.deepEqual(JSON.parse(await json.inputValue()), most);
  await json.fill('{ "text": 1, ');
  await call(echo);
  assert.match(await json.evaluate(area => (area as HTMLTextAreaElement).validationMessage), /no JSON/);
  await json.fill('{ "text": "raw", "more": true }');
  assert.deepEqual(await said(), { text: 'raw', more: true });
});

test('whatever a server says of itself, or answers, stays text', { skip }, async t => {
  const { page, gateway } = await atTools(t, 'strange', STRANGE);
  const harmless = async () => {
    assert.doesNotMatch(await page.title(), /pwned/);
    assert.equal(
      await page
        .locator('#root script, #root img[src="x"], #root [onerror], #root a[href^="javascript"]')
        .count(),
      0,
    );
  };
  const marked = await open(page, XSS);
  await call(marked);
  await marked.getByText('It answered').waitFor();
  await open(page, 'ohne Grenzen ∞');
  await call(tool(page, 'ohne Grenzen ∞'));
  await tool(page, 'ohne Grenzen ∞').getByText('It answered').waitFor();
  await harmless();

  const show = await open(page, 'Show everything');
  await call(show);
  await show.locator('audio').waitFor();
  await show.getByText('text/html: ').waitFor();
  assert.equal(await show.locator('.tool-result img').count(), 1, 'the picture that is one');
  await harmless();
  const fail = await open(page, 'Say it failed');
  await call(fail);
  await fail.getByText('The tool says that it failed').waitFor();
  const broken = await open(page, 'Answer with an error');
  await call(broken);
  await broken.getByText('code -32602').waitFor();
  for (const summary of await page.getByRole('region', { name: 'Messages' }).locator('summary').all())
    await summary.click();
  await harmless();
  for (const size of [
    { width: 320, height: 640 },
    { width: 1280, height: 800 },
  ])
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await faultsOf(page), [], `${colorScheme} at ${size.width}`);
    }

  // Not a page for anybody else, and no call of another site's.
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  for (const origin of ['https://evil.example', 'null', gateway.url.replace('localhost', '127.0.0.1')]) {
    const headers = { cookie, origin, 'content-type': 'text/plain' };
    const refused = await fetch(`${gateway.url}/mcp/alice/strange`, { method: 'POST', headers, body });
    assert.equal(refused.status, 403, origin);
  }
});

test('a server of the configuration is tried from the home page; one that is not yours is not there', {
  skip,
}, async t => {
  const { page, gateway, provider, modern } = await atTools(t, 'everything', EVERYTHING);
  await page.getByRole('link', { name: 'Upstreams I may use' }).click();
  const home = page
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: 'Modern tools' }) });
  await home.getByRole('link', { name: 'Try its tools' }).click();
  const echo = await open(page, 'echo');
  await echo.getByLabel('text').fill('hello from the page');
  await call(echo);
  await answer(echo).getByText('hello from the page').waitFor();
  assert.equal(modern.ran.get('echo'), 1);
  const region = await open(page, 'region');
  await region.getByLabel('where').fill('Zürich');
  await call(region);
  await answer(region).getByText('in Zürich').waitFor();

  provider.account = 'bo';
  const other = await openWindow(t, [401]);
  await signIn(other, gateway);
  await other.goto(`${gateway.url}/tools/alice/everything`);
  await other.getByText('There is no such MCP server here for you.').waitFor();
  assert.deepEqual(await faultsOf(other), []);
});
