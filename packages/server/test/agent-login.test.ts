import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { createBrowser } from './fixtures/browser.ts';
import { startGateway } from './fixtures/gateway.ts';

test('an agent gets a key when its person lets it in, which brings tunnels and opens nothing else', async t => {
  const gateway = await startGateway(t);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-login-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'deep', 'key');
  const { stdout } = await gateway.command('admin-link');
  const browser = createBrowser();
  await browser.get(/https?:\S+/.exec(stdout)![0]);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;
  const post = (path: string, body: unknown, headers: Record<string, string> = { cookie }) =>
    fetch(`${gateway.url}/api/v1/agent-logins${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  const agent = startAgent(t, ['login', '--gateway', gateway.url, '--key-file', file]);
  const [, code] = await agent.says(/agent-login#([A-Z]{4}-[A-Z]{4})/);
  const typed = code!.toLowerCase().replace('-', ' ');
  const found = (await (await post('/open', { user_code: typed })).json()) as {
    name: string;
    address: string;
  };
  assert.match(found.name, /^agent on /);
  assert.equal((await post('/answer', { user_code: 'BCDF-BCDF', approve: true })).status, 404);
  // Not by a key, however strong, and not from another site's page.
  const key = await keyOf(gateway, 'root@corp.example', '--admin');
  const bearer = { authorization: `Bearer ${key}` };
  assert.equal((await post('/answer', { user_code: code, approve: true }, bearer)).status, 403);
  const elsewhere = { cookie, origin: 'https://evil.example' };
  assert.equal((await post('/answer', { user_code: code, approve: true }, elsewhere)).status, 403);
  assert.equal((await post('/answer', { user_code: code, approve: true })).status, 204);
  assert.equal((await post('/answer', { user_code: code, approve: true })).status, 404);

  await agent.says(/The key is in/);
  const written = readFileSync(file, 'utf8').trim();
  assert.match(written, /^sp_/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!agent.output().includes(written) && !gateway.output().includes(written));
  const me = await fetch(`${gateway.url}/api/v1/me`, { headers: { authorization: `Bearer ${written}` } });
  assert.deepEqual(((await me.json()) as { scope: string[] }).scope, ['tunnel:*']);
});

test('an agent that is turned away gets nothing', async t => {
  const gateway = await startGateway(t);
  const begun = (await (
    await fetch(`${gateway.url}/api/v1/agent-logins`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"x"}',
    })
  ).json()) as { device_code: string; user_code: string };
  const { stdout } = await gateway.command('admin-link');
  const browser = createBrowser();
  await browser.get(/https?:\S+/.exec(stdout)![0]);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;
  const headers = { 'content-type': 'application/json', cookie };
  const poll = async () => {
    const body = JSON.stringify({ device_code: begun.device_code });
    const res = await fetch(`${gateway.url}/api/v1/agent-logins/token`, { method: 'POST', headers, body });
    return ((await res.json()) as { error: string }).error;
  };
  assert.equal(await poll(), 'authorization_pending');
  assert.equal(await poll(), 'slow_down');
  const body = JSON.stringify({ user_code: begun.user_code, approve: false });
  await fetch(`${gateway.url}/api/v1/agent-logins/answer`, { method: 'POST', headers, body });
  assert.equal(await poll(), 'access_denied');
});
