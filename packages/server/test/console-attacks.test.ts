import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { openWindow, signIn, skip, startHouse, useChromium } from './fixtures/console.ts';

useChromium();

const XSS = `"><img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`;

test('markup in whatever a person or a provider can set stays text on every page', { skip }, async t => {
  const { gateway, provider } = await startHouse(t, {
    accounts: {
      alice: { name: XSS, email: `${XSS}@corp.example`, groups: ['engineering', XSS] },
      root: { name: `Root ${XSS}`, groups: ['engineering', 'ai-admins', XSS] },
    },
    provider: { name: XSS },
    upstreams: [
      {
        id: 'marked',
        name: XSS,
        kind: 'openai',
        url: 'http://127.0.0.1:9/v1',
        models: [XSS],
        credential: { use: 'sign-in' },
        access: { everyone: true, groups: [XSS], users: [XSS] },
      },
    ],
  });
  const enter = async (account: string) => {
    provider.account = account;
    const page = await openWindow(t, [401], { userAgent: XSS });
    await page.goto(gateway.url);
    await page.getByRole('link', { name: `Continue with ${XSS}` }).click();
    await page.getByRole('heading', { level: 1, name: 'Upstreams I may use' }).waitFor();
    return page;
  };
  const alice = await enter('alice');
  await alice.goto(`${gateway.url}/account`);
  await alice.getByRole('button', { name: 'Make a key' }).click();
  await alice.getByLabel('Name').fill(XSS.slice(0, 100));
  await alice.getByRole('button', { name: 'Make the key' }).click();
  await alice.getByRole('button', { name: 'I have it' }).click();
  await assertText(alice);

  const root = await enter('root');
  for (const path of [
    '/',
    '/account',
    '/tunnels',
    '/tools/marked',
    '/admin/users',
    '/admin/upstreams',
    '/admin/providers',
    '/admin/audit',
    '/admin/health',
    `/admin/audit?action=${encodeURIComponent(XSS)}`,
    `/admin/${encodeURIComponent(XSS)}`,
  ]) {
    await root.goto(gateway.url + path);
    await root.getByRole('heading', { level: 1 }).waitFor();
    await root.locator('.loading').first().waitFor({ state: 'detached' });
    if (path === '/admin/users') await root.getByText(XSS, { exact: true }).first().waitFor();
    await assertText(root);
  }
});

test('markup in what admins define, in whatever field, and in what an agent calls itself, stays text in lists and forms', {
  skip,
}, async t => {
  const { gateway, provider } = await startHouse(t);
  provider.account = 'root';
  const root = await openWindow(t, [401]);
  await signIn(root, gateway);
  const make = async (path: string, data: object) => {
    const made = await root.request.post(gateway.url + path, { data });
    assert.ok(made.ok(), `${path}: ${await made.text()}`);
    return (await made.json()) as Record<string, string>;
  };
  const access = { everyone: true, users: [XSS], groups: [XSS] };
  const credential = { use: 'key', key: XSS, header: 'x-key', scheme: '' };
  await make('/api/v1/upstreams', {
    ...{
      id: 'tools',
      name: `tools ${XSS}`,
      kind: 'mcp',
      url: 'https://mcp.corp.example/',
      access,
      credential,
    },
    tools: { allow: [XSS], deny: [XSS], groups: { [XSS]: { allow: [XSS], deny: [] } } },
  });
  await make('/api/v1/upstreams', {
    ...{ id: 'llm', name: `llm ${XSS}`, kind: 'openai', url: 'https://llm.corp.example/v1' },
    ...{ models: [XSS], access, credential },
  });
  await make('/api/v1/providers', {
    ...{ id: 'other', name: `other ${XSS}`, issuer: 'https://other.corp.example', client_id: XSS },
    ...{ client_secret: XSS, scope: `openid ${XSS}`, groups_claim: XSS },
    ...{ allow: { claim: XSS, has: [XSS] }, admins: { claim: XSS, has: [XSS] } },
  });
  for (const [path, ...names] of [
    ['/admin/upstreams', `tools ${XSS}`, `llm ${XSS}`],
    ['/admin/providers', `other ${XSS}`],
  ] as const) {
    await root.goto(gateway.url + path);
    for (const name of names) {
      for (const verb of ['Edit', 'Remove']) {
        await root.getByRole('button', { name: `${verb} ${name}` }).click();
        await root.getByRole('dialog').getByRole('button', { name: 'Cancel' }).waitFor();
        await assertText(root);
        await root.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
      }
    }
  }
  await root.goto(`${gateway.url}/account`);
  await root.getByRole('button', { name: 'Make a key' }).click();
  await root.getByLabel(`llm ${XSS}`).waitFor();
  await assertText(root);

  const { user_code } = await make('/api/v1/agent-logins', { name: XSS });
  await root.goto(`${gateway.url}/agent-login#${user_code}`);
  await root.getByRole('button', { name: 'Continue' }).click();
  await root.getByText(XSS).waitFor();
  await assertText(root);
});

async function assertText(page: Page): Promise<void> {
  const where = page.url();
  assert.equal(await page.locator('#root img, #root script').count(), 0, where);
  assert.doesNotMatch(await page.title(), /pwned/, where);
}

test('a return_to leads nowhere but to this gateway', { skip }, async t => {
  const { gateway } = await startHouse(t);
  for (const wanted of [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
  ]) {
    const page = await openWindow(t, [401]);
    await page.goto(`${gateway.url}/sign-in?return_to=${encodeURIComponent(wanted)}`);
    await page.getByRole('link', { name: 'Continue with Corp SSO' }).click();
    await page.getByRole('heading', { level: 1, name: 'Upstreams I may use' }).waitFor();
    assert.equal(page.url(), `${gateway.url}/`, wanted);
  }
});

test('no page of ours shows inside a frame of somebody else', { skip }, async t => {
  const { gateway } = await startHouse(t);
  const page = await openWindow(t, [401], { refusals: 'expected' });
  await signIn(page, gateway);
  for (const host of ['127.0.0.1', 'localhost']) {
    const site = await startSite(t, `<iframe src="${gateway.url}/account"></iframe>`, host);
    await page.goto(site);
    const frame = await (await page.locator('iframe').elementHandle())!.contentFrame();
    await frame!.waitForURL(/^chrome-error:/);
  }
});

test('another site, even one on the same host, makes a signed-in browser do nothing', { skip }, async t => {
  const { gateway } = await startHouse(t);
  const page = await openWindow(t, [401, 403, 400, 404], { refusals: 'expected' });
  await signIn(page, gateway);
  const attack = `<form method="post" enctype="text/plain"><input name='{"name":"planted","x":"' value='"}'></form>
    <script>
      const say = text => (document.title = text);
      const tries = ['/api/v1/keys', '/auth/logout', '/v1/chat/completions', '/api/v1/token'].flatMap(path =>
        ['no-cors', 'cors'].map(mode => fetch('${gateway.url}' + path, {
          method: 'POST', mode, credentials: 'include', headers: { 'content-type': 'text/plain' },
          body: '{"name":"planted","model":"corp-large","messages":[],"service":"corp-llm"}',
        }).then(answer => answer.type === 'opaque' ? 'opaque' : 'read ' + answer.status, () => 'refused')));
      Promise.all(tries).then(said => say(said.join()));
    </script>`;
  for (const host of ['127.0.0.1', 'localhost']) {
    await page.goto(await startSite(t, attack, host));
    await page.waitForFunction(() => document.title !== '');
    assert.doesNotMatch(await page.title(), /read/, host);
    // A plain form needs no script, and takes the page with it.
    for (const path of ['/api/v1/keys', '/auth/logout']) {
      await page.goto(await startSite(t, attack.split('<script>')[0]!, host));
      await page.evaluate(action => {
        const form = document.querySelector('form')!;
        form.action = action;
        form.submit();
      }, gateway.url + path);
      await page.waitForURL(gateway.url + path);
    }
  }
  await page.goto(`${gateway.url}/account`);
  await page.getByText('No keys yet.').waitFor();
  await page.getByText('This browser').waitFor();
});

/** A site of somebody else's that shows this. */
async function startSite(t: TestContext, body: string, host: string): Promise<string> {
  const server = createServer((_req, res) =>
    res.setHeader('content-type', 'text/html').end(`<!doctype html><title></title>${body}`),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://${host}:${(server.address() as AddressInfo).port}/`;
}
