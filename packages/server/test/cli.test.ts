import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBrowser } from './fixtures/browser.ts';
import { providerConfig, startGateway } from './fixtures/gateway.ts';
import { freePort } from './fixtures/ports.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const key = () => randomBytes(32).toString('base64');

test('keys create prints only the key, which works at once in the running gateway, and not after keys revoke', async t => {
  const gateway = await startGateway(t);
  const made = await gateway.command('keys', 'create', '--user', 'you@corp.example', '--expires', '30d');
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^sp_[\w-]{43}\n$/);
  const me = () =>
    fetch(`${gateway.url}/api/v1/me`, { headers: { authorization: `Bearer ${made.stdout.trim()}` } });
  assert.equal((await me()).status, 200);

  const list = await gateway.command('keys', 'list', '--json');
  const [row] = JSON.parse(list.stdout) as { id: string; email: string; expiresAt: number }[];
  assert.equal(row?.email, 'you@corp.example');
  assert.ok(row.expiresAt > Date.now() + 29 * 86_400_000);
  assert.equal((await gateway.command('keys', 'revoke', row.id)).code, 0);
  // Another process did it: its news may take the 5 s that a look at the database holds; a new gateway knows at once.
  await gateway.stop();
  await gateway.restart();
  assert.equal((await me()).status, 401);
});

test('keys create --admin makes an admin, and without it a key is none', async t => {
  const gateway = await startGateway(t);
  const make = async (...flags: string[]) =>
    (await gateway.command('keys', 'create', '--user', 'root@corp.example', ...flags)).stdout.trim();
  const users = (bearer: string) =>
    fetch(`${gateway.url}/api/v1/users`, { headers: { authorization: `Bearer ${bearer}` } });
  const admin = await make('--admin');
  assert.equal((await users(admin)).status, 200);
  assert.equal((await users(await make())).status, 403);
  const audit = await fetch(`${gateway.url}/api/v1/audit`, { headers: { authorization: `Bearer ${admin}` } });
  const { items } = (await audit.json()) as { items: { action: string; credential_id: string }[] };
  assert.deepEqual(
    items.map(({ action, credential_id }) => [action, credential_id]).sort(),
    [
      ['admin-link.create', 'command-line'],
      ['key.create', 'command-line'],
      ['key.create', 'command-line'],
      ['user.create', 'command-line'],
      ['user.make-admin', 'command-line'],
    ],
    'what a command does is in the audit',
  );
});

test('what is done at the command line is told to pages that are open', async t => {
  const gateway = await startGateway(t);
  const key = (
    await gateway.command('keys', 'create', '--user', 'root@corp.example', '--admin')
  ).stdout.trim();
  const stream = await fetch(`${gateway.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(60_000),
  });
  await gateway.command('keys', 'create', '--user', 'root@corp.example');
  await gateway.command('accounts', 'invite', 'new@corp.example');
  const topics = new Set<string>();
  for await (const chunk of stream.body!) {
    for (const [, topic] of Buffer.from(chunk)
      .toString()
      .matchAll(/"topic":"(\w+)"/g))
      topics.add(topic!);
    if (['keys', 'users', 'audit'].every(topic => topics.has(topic))) break;
  }
});

test('secrets rotate moves every grant under the new key, after which the old key may go', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const [before, after] = [key(), key()];
  const rest = {
    providers: [providerConfig(provider)],
    upstreams: [
      {
        id: 'tools',
        kind: 'http',
        url: upstream.url,
        credential: { use: 'sign-in' },
        access: { everyone: true },
      },
    ],
  };
  const first = await startGateway(t, { config: { ...rest, encryptionKey: [before] } });
  const browser = createBrowser();
  await provider.signIn(browser, `${first.url}/auth/corp/login`);
  const cookie = browser.cookie(first.url, 'oauth_session_id')!;
  await first.stop();

  const store = `sqlite:${join(first.directory, 'sallyport.db')}`;
  const second = await startGateway(t, {
    config: { ...rest, encryptionKey: [after, before] },
    directory: first.directory,
    store,
  });
  const rotated = await second.command('secrets', 'rotate');
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.match(rotated.stdout, /^1 records? /m);
  await second.stop();

  const third = await startGateway(t, {
    config: { ...rest, encryptionKey: [after] },
    directory: first.directory,
    store,
  });
  const call = await fetch(`${third.url}/u/tools/x`, { headers: { cookie: `oauth_session_id=${cookie}` } });
  assert.equal(call.status, 200);
  assert.match(upstream.requests.at(-1)!.headers['authorization']!, /^Bearer ./);
});

test('a gateway without the key that sealed its grants refuses to start and says which is missing', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const rest = { providers: [providerConfig(provider)] };
  const first = await startGateway(t, { config: { ...rest, encryptionKey: [key()] } });
  await provider.signIn(createBrowser(), `${first.url}/auth/corp/login`);
  await first.stop();
  const store = `sqlite:${join(first.directory, 'sallyport.db')}`;
  await assert.rejects(
    startGateway(t, { config: { ...rest, encryptionKey: [key()] }, directory: first.directory, store }),
    /stored grants or secrets were sealed by keys that are not here/,
  );
});

test('doctor names what is wrong and what to do, and exits 1; when all is well it exits 0', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const good = await startGateway(t, {
    config: {
      providers: [providerConfig(provider)],
      upstreams: [{ id: 'tools', kind: 'http', url: upstream.url }],
    },
  });
  const well = await good.command('doctor');
  assert.equal(well.code, 0, well.stdout + well.stderr);
  const closed = `http://127.0.0.1:${await freePort()}`;
  const bad = await startGateway(t, {
    config: {
      providers: [providerConfig(provider, { issuer: closed })],
      upstreams: [{ id: 'dead', kind: 'http', url: closed }],
    },
  });
  const ill = await bad.command('doctor');
  assert.equal(ill.code, 1);
  assert.match(ill.stdout, /FAIL {2}provider corp: .*\n {6}\S/);
  assert.match(ill.stdout, /FAIL {2}upstream dead: .*refuses the connection/);
  assert.match(ill.stdout, /OK {4}database/);
});

test('a bad configuration is refused with every problem and its place', async t => {
  const gateway = await startGateway(t);
  await gateway.stop();
  const file = join(gateway.directory, `sallyport-${gateway.port}.yaml`);
  writeFileSync(
    file,
    `${readFileSync(file, 'utf8')}nonsense: 1\nupstreams:\n  - { id: a, kind: http, url: ftp://x }\n  - { id: a, kind: http, url: http://127.0.0.1:1 }\n`,
  );
  const { code, stderr } = await gateway.command('config', 'check');
  assert.equal(code, 1);
  for (const problem of ['nonsense', 'upstreams[0].url', 'upstreams[1].id'])
    assert.ok(stderr.includes(problem), stderr);
});

test('a taken port is said, with what to do', async t => {
  const first = await startGateway(t);
  await assert.rejects(
    startGateway(t, { config: { listen: `127.0.0.1:${first.port}` } }),
    /is taken by another program/,
  );
});

test('the command runs through its bin', async t => {
  const bin = fileURLToPath(new URL('../bin/sallyport.js', import.meta.url));
  const child = spawn(process.execPath, [bin, '--version']);
  let printed = '';
  child.stdout.on('data', chunk => (printed += chunk));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  assert.match(printed, /^\d+\.\d+\.\d+\n$/);
  t.diagnostic(`on Node ${process.version}`);
});

test('accounts invite and reset print links that let an admin in who is locked out', async t => {
  const gateway = await startGateway(t);
  const password = 'four quiet green owls';
  const accept = async (link: string, chosen = password) => {
    const answer = await fetch(`${gateway.url}/api/v1/invitations/accept`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret: new URL(link).hash.slice(1), password: chosen }),
    });
    const cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    return { status: answer.status, cookie };
  };
  const invited = await gateway.command(
    'accounts',
    'invite',
    'Root@corp.example',
    '--admin',
    '--group',
    'ops',
  );
  assert.match(invited.stdout, new RegExp(`^${gateway.url}/invite#[\\w-]{43}\\n$`), invited.stderr);
  const { cookie } = await accept(invited.stdout.trim());
  const me = await fetch(`${gateway.url}/api/v1/me`, { headers: { cookie } });
  const { user } = (await me.json()) as { user: { email: string; admin: boolean; groups: string[] } };
  assert.deepEqual([user.email, user.admin, user.groups], ['root@corp.example', true, ['ops']]);

  const reset = await gateway.command('accounts', 'reset', 'root@corp.example');
  assert.equal((await accept(reset.stdout.trim(), 'seven loud blue herons')).status, 204, reset.stderr);
  for (const [args, said] of [
    [['accounts', 'reset', 'nobody@corp.example'], /no local account/],
    [['accounts', 'invite', 'root@corp.example'], /already signs in/],
    [['accounts', 'invite', 'nobody'], /email address/],
    [['accounts', 'invite', 'x@corp.example', '--local-accounts', 'false'], /localAccounts: true/],
  ] as const) {
    const refused = await gateway.command(...args);
    assert.equal(refused.code, 1, args.join(' '));
    assert.match(refused.stderr, said);
  }
});
