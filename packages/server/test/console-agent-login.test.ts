import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startAgent } from './fixtures/agent.ts';
import { openWindow, skip, useChromium } from './fixtures/console.ts';
import { faultsOf } from './fixtures/console-faults.ts';
import { startGateway } from './fixtures/gateway.ts';

useChromium();

/** Somebody signed in, and an agent that asks to be let in by a link and a code. */
async function asking(t: TestContext, keyFile: string) {
  const gateway = await startGateway(t);
  const page = await openWindow(t, [401, 404]);
  await page.goto(/http:\/\/localhost:\d+\/auth\/first-admin\?\S+/.exec(gateway.output())![0]);
  await page.getByRole('heading', { level: 1, name: 'Upstreams I may use' }).waitFor();
  const file = join(gateway.directory, keyFile);
  const agent = startAgent(t, ['login', '--gateway', gateway.url, '--key-file', file]);
  const [link, code] = await agent.says(/http:\/\/localhost:\d+\/agent-login#([A-Z]{4}-[A-Z]{4})/);
  return { page, agent, link, code: code!, file };
}

test('the link that an agent shows opens with its code; a yes there, and the agent has its key', {
  skip,
}, async t => {
  const { page, agent, link, code, file } = await asking(t, 'yes');
  const sent: string[] = [];
  page.on('request', request => void sent.push(request.url()));
  await page.goto(link);
  assert.equal(await page.getByLabel('The code').inputValue(), code);
  assert.deepEqual(await faultsOf(page), []);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText(/agent on .*, at 127\.0\.0\.1|agent on .*, at ::1/).waitFor();
  assert.deepEqual(await faultsOf(page), []);
  await page.getByRole('button', { name: 'Let it in' }).click();
  await page.getByRole('status').getByText('The agent has its key').waitFor();
  await agent.says(/The key is in/);
  const key = readFileSync(file, 'utf8').trim();
  assert.match(key, /^sp_/);
  assert.ok(!(await page.content()).includes(key), 'the page never has the key');
  assert.ok(!sent.some(url => url.includes(code)), 'the code is in no address that is sent');
});

test('a code that is wrong is said to be so; an agent that is turned away gets nothing', {
  skip,
}, async t => {
  const { page, agent, link, code } = await asking(t, 'no');
  await page.goto(link.split('#')[0]!);
  await page.getByLabel('The code').fill('BCDF-BCDF');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('alert').waitFor();
  // As a person types it.
  await page.getByLabel('The code').fill(code.toLowerCase().replace('-', ' '));
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Turn it away' }).click();
  await page.getByRole('status').getByText('turned away').waitFor();
  await agent.says(/denied|turned|refused|not let/i);
  assert.notEqual(await agent.ended, 0);
});
