import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { running } from '../../shells/test/sleepers.ts';
import { callerWith, keyOf } from './fixtures/admin.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { misspelt, statusOf } from './fixtures/misspelt.ts';
import { TerminalClient } from './fixtures/terminal-client.ts';
import { agentsWork, terminalsWork } from './fixtures/terminal-wire.ts';

const SECRET = 'a-secret-of-the-gateway-0123456789abcdef';
/** 100 MB where there is time for it. */
const PRINTED = process.env['SALLYPORT_TEST_FULL'] ? 100_000_000 : 5_000_000;
/** Shells at once: 500 where there is time for it. */
const CROWD = process.env['SALLYPORT_TEST_FULL'] ? 500 : 30;
const isolates =
  spawnSync('bwrap', ['--ro-bind', '/', '/', '--unshare-all', '--proc', '/proc', 'true']).status === 0;

/** A gateway with shells of its own, and two people who may use them. */
async function house(t: TestContext, more: Record<string, unknown> = {}) {
  const gateway = await startGateway(t, {
    config: {
      jwtSecret: 'env:JWT_SECRET',
      // As it is where nobody says anything: beneath the directory that the gateway was started in.
      dataDir: './data',
      upstreams: [{ id: 'shell', kind: 'terminal', embedded: true, access: { everyone: true }, ...more }],
    },
    env: { JWT_SECRET: SECRET },
  });
  const person = async (email: string) => {
    const key = await keyOf(gateway, email);
    const headers = { authorization: `Bearer ${key}` };
    const call = callerWith(gateway, headers);
    const attach = (id: string) =>
      new TerminalClient(`${gateway.url}/terminals/shell/api/terminals/${id}`, { headers }).open();
    return {
      key,
      call,
      attach,
      /** A new terminal, attached. */
      async open() {
        const made = await call('POST', '/terminals/shell/api/terminals');
        assert.equal(made.status, 200, made.text);
        return { id: made.body.id as string, client: await attach(made.body.id) };
      },
      async run(command: string) {
        const { body } = await call('POST', '/terminals/shell/execute?wait=20', { command });
        return body.output.map(({ data }: { data: string }) => data).join('') as string;
      },
    };
  };
  return {
    gateway,
    alice: await person('alice@corp.example'),
    bob: await person('bob@corp.example'),
    person,
  };
}

/** The plainest one, for the tests that need no other. */
const shared = await house({ after } as unknown as TestContext);
const bob = await shared.person('bob@corp.example');

test('a shell of the gateway’s own: typed into, resized, left, come back to, and ended', async () => {
  const { gateway, alice } = shared;
  assert.match(gateway.output(), /shell runs shells on this machine: .*its keys.*everyone who is signed in/);
  const listed = await alice.call('GET', '/terminals/');
  assert.deepEqual([listed.body.terminals[0].id, listed.body.terminals[0].embedded], ['shell', true]);

  const { id, client } = await alice.open();
  client.say({ type: 'resize', cols: 101, rows: 31 });
  client.type('stty size; echo $((6*7))\n');
  await client.shows('31 101\r\n42');
  client.socket.terminate();
  const again = await alice.attach(id);
  await again.shows('31 101\r\n42');
  again.type('echo st""ill-here\n');
  await again.shows('still-here');

  const theirs = `/terminals/shell/api/terminals/${id}`;
  assert.deepEqual(
    [(await bob.call('GET', theirs)).status, (await bob.call('DELETE', theirs)).status],
    [404, 404],
  );
  assert.notEqual((await bob.attach(id)).refused ?? 4004, 101);
  assert.deepEqual((await bob.call('GET', '/terminals/shell/api/terminals')).body, []);

  again.type('exit\n');
  await eventually(() => again.closed !== null);
  assert.equal(again.closed!.code, 1000);
  assert.equal((await alice.call('GET', theirs)).status, 404);
});

test('no spelling of a path leads to another’s shell, over HTTP or WebSocket', async () => {
  const { gateway, alice } = shared;
  const { id, client } = await alice.open();
  const me = (await alice.call('GET', '/api/v1/me')).body.user.id as string;
  const headers = { authorization: `Bearer ${bob.key}`, 'x-user-id': me };
  for (const path of [...misspelt(id), `api/terminals/${id}`, `api/terminals/${id}?user_id=${me}`]) {
    for (const method of ['GET', 'DELETE']) {
      const status = await statusOf(gateway.url, method, `/terminals/shell/${path}`, headers);
      assert.ok(status === 404 || status === 400, `${method} ${path}: ${status}`);
    }
    const { code } = await new TerminalClient(gateway.url, {
      headers,
      path: `/terminals/shell/${path}`,
    }).end();
    assert.ok(code === 4004 || code === 400, `${path} ${code}`);
  }
  const list = await callerWith(gateway, headers)('GET', `/terminals/shell/files/list?user_id=${me}`);
  assert.ok(!JSON.stringify(list.body).includes(me), 'nor to another’s home');
  client.type('echo unt""ouched\n');
  await client.shows('untouched');
  client.drop();
});

for (const isolate of ['none', 'bubblewrap'])
  test(`they do what the published open-terminal does (npm run test:peers), isolated by ${isolate}`, async t => {
    if (isolate !== 'none' && !isolates) return t.skip('bubblewrap (bwrap) does not work here');
    const { gateway, person } = isolate === 'none' ? shared : await house(t, { isolate });
    const bearer = async (email: string) => ({ authorization: `Bearer ${(await person(email)).key}` });
    const place = {
      gateway,
      name: 'shell',
      alice: await bearer('carol@corp.example'),
      bob: await bearer('dave@corp.example'),
    };
    await terminalsWork(place);
    await agentsWork(place);
  });

test(`${PRINTED / 1e6} MB printed at full speed reach the client whole`, async () => {
  const { alice } = shared;
  const { client } = await alice.open();
  client.type('stty -onlcr -echo; echo be""gin\n');
  await client.shows('begin\n');
  const before = client.bytes;
  client.type(`yes | head -c ${PRINTED}; printf e""nd; exit\n`);
  await eventually(() => client.closed !== null, 120_000);
  assert.equal(client.closed!.code, 1000);
  assert.ok(
    client.bytes - before >= PRINTED + 3 && client.bytes - before < PRINTED + 300,
    `${client.bytes - before}`,
  );
});

test(`${CROWD} shells at once, 2 of them printing at full speed: a key typed into the others is echoed at once`, async t => {
  const { alice } = await house(t, { limits: { perUser: CROWD, total: CROWD } });
  const crowd: TerminalClient[] = [];
  for (let n = 0; n < CROWD; n++) crowd.push((await alice.open()).client);
  const [one, two, ...others] = crowd;
  for (const client of others) await client.until(() => client.bytes > 0);
  for (const loud of [one!, two!]) {
    loud.type('yes\n');
    await loud.until(() => loud.bytes > 1_000_000);
    loud.forgets = true;
  }
  const times: number[] = [];
  for (const [n, client] of others.entries()) {
    const began = performance.now();
    client.type(`#${n}-`);
    await client.shows(`#${n}-`);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor((times.length - 1) * share)]!;
  const printed = ((one!.bytes + two!.bytes) / 1e6).toFixed(0);
  t.diagnostic(
    `echo p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms; ${printed} MB printed meanwhile`,
  );
  for (const client of crowd) client.drop();
  // Else other tests run beside this one.
  const most = process.env['SALLYPORT_TEST_FULL'] ? 50 : 1_000;
  assert.ok(at(0.99) <= most, `${at(0.99)} ms`);
});

test('home is home from every directory, for a shell, a command and a file call', async () => {
  const { alice } = shared;
  assert.match(await alice.run('cd / && cd && echo here > from-home && cat ~/from-home'), /here/);
  const { body } = await alice.call('GET', '/terminals/shell/files/read?path=from-home');
  assert.match(body.content, /here/);
  const list = await alice.call('GET', '/terminals/shell/files/list');
  assert.ok(
    list.body.entries.some(({ name }: { name: string }) => name === 'from-home'),
    list.text,
  );
});

test('commands and files are each user’s own, and none finds anything of the gateway in its environment', async () => {
  const { alice } = shared;
  await alice.call('POST', '/terminals/shell/files/write', { path: 'note', content: 'mine' });
  assert.equal((await alice.call('GET', '/terminals/shell/files/read?path=note')).body.content, 'mine');
  assert.equal((await bob.call('GET', '/terminals/shell/files/read?path=note')).status, 404);
  const said = await alice.run('cat note; env; tr "\\0" "\\n" < /proc/$$/cmdline; ls -l /proc/self/fd');
  assert.match(said, /^mine/);
  for (const leak of ['SALLYPORT', 'JWT_SECRET', SECRET, alice.key, 'the gateway'])
    assert.ok(!said.includes(leak), leak);
  const all = readdirSync('/proc').flatMap(pid => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
    } catch {
      return [];
    }
  });
  assert.ok(!all.some(line => line.includes(SECRET) || line.includes(alice.key)));
});

test('without an access rule only admins have shells', async t => {
  const { gateway, alice } = await house(t, { access: undefined });
  assert.match(gateway.output(), /and admins may use it/);
  assert.equal((await alice.call('POST', '/terminals/shell/api/terminals')).status, 403);
  assert.deepEqual((await alice.call('GET', '/terminals/')).body.terminals, []);
});

test('a gateway that is killed leaves no shell, and nothing that one started', async t => {
  const { gateway, alice } = await house(t);
  const { client } = await alice.open();
  client.type('sleep 7401 & (setsid nohup sleep 7402 >/dev/null 2>&1 &); sleep 0.3; echo re""ady\n');
  await client.shows('ready');
  assert.deepEqual([running('7401'), running('7402')], [1, 1]);
  await gateway.kill();
  await eventually(() => running('7401') + running('7402') === 0, 20_000);
});

test('an isolated shell reads nothing of the gateway, nor does a file call', async t => {
  if (!isolates) return t.skip('bubblewrap (bwrap) does not work here');
  const { gateway, alice } = await house(t, { isolate: 'bubblewrap' });
  assert.match(gateway.output(), /namespaces of its own/);
  const { pid } = gateway.process;
  const said = await alice.run(
    `cat /proc/${pid}/environ ${gateway.directory}/* ${gateway.directory}/data/* | head -c 100; ls / ; curl -s ${gateway.url}/healthz || echo unreachable`,
  );
  assert.match(said, /No such file[\s\S]*unreachable/);
  assert.ok(!said.includes(SECRET));
  for (const path of [
    `${gateway.directory}/sallyport.db`,
    `${gateway.directory}/data/encryption.key`,
    `/proc/${pid}/environ`,
    '../../../etc/shadow',
    '%252e%252e/x',
  ])
    assert.equal(
      (await alice.call('GET', `/terminals/shell/files/read?path=${encodeURIComponent(path)}`)).status,
      404,
    );
  const { client } = await alice.open();
  client.type('hostname; whoami\n');
  await client.shows('shell\r\nuser');
});

test('as another account, no shell reads the gateway’s database, key or environment', async t => {
  if (process.getuid?.() !== 0) return t.skip('only root can run shells as another account');
  const homes = mkdtempSync(join(tmpdir(), 'shells-'));
  chmodSync(homes, 0o711);
  t.after(() => rmSync(homes, { recursive: true }));
  const { gateway, alice } = await house(t, { account: 'nobody', homes });
  const said = await alice.run(
    `id -un; cat /proc/${gateway.process.pid}/environ ${gateway.directory}/sallyport.db ${gateway.directory}/data/encryption.key`,
  );
  assert.match(said, /^nobody\r\n.*denied[\s\S]*denied[\s\S]*denied/);
});

test('shells are switched on by the configuration file alone, not by an admin', async () => {
  const { gateway } = shared;
  const key = await keyOf(gateway, 'root@corp.example', '--admin');
  const admin = callerWith(gateway, { authorization: `Bearer ${key}` });
  const draft = { id: 'mine', name: 'Mine', kind: 'terminal', credential: { use: 'none' }, access: {} };
  const url = 'http://127.0.0.1:1';
  assert.equal((await admin('POST', '/api/v1/upstreams', { ...draft, url })).status, 201);
  for (const more of [{ embedded: true }, { embedded: true, url }, { isolate: 'none', url }]) {
    const { status } = await admin('POST', '/api/v1/upstreams', { ...draft, ...more, id: 'other' });
    assert.equal(status, 400, JSON.stringify(more));
  }
});
