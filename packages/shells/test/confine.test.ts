import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LIMITS, ShellSettingsError } from '../src/settings.ts';
import { house, KEY, saidIn } from './house.ts';
import { running } from './sleepers.ts';

const tried = spawnSync('bwrap', ['--ro-bind', '/', '/', '--unshare-all', '--proc', '/proc', 'true']);
/** Why isolation cannot be tried here; false where it can. */
const noBubblewrap = tried.status !== 0 && 'bubblewrap (bwrap) does not work here';
const notRoot = process.getuid?.() !== 0 && 'only root can run shells as another account';
const NOBODY = { uid: 65_534, gid: 65_534 };

test('a shell finds nothing of its server in its environment, its arguments, its descriptors and its parents’ arguments', async t => {
  process.env['SALLYPORT_SECRET'] = 'not-for-shells';
  t.after(() => delete process.env['SALLYPORT_SECRET']);
  const { open } = house(t);
  const before = await open('bob');
  await before.says(/\$ /);
  const shell = await open();
  shell.type('stty cols 5000; env; cat /proc/$$/cmdline /proc/$$/environ; ls -l /proc/$$/fd; echo do""ne\n');
  await shell.says(/done/);
  assert.doesNotMatch(shell.output, /SALLYPORT|not-for-shells/);
  assert.ok(!shell.output.includes(KEY));
  // Another user's terminal would be one: what is inherited is its own, and the shell's own notes.
  assert.doesNotMatch(shell.output, /ptmx/);
  const all = readdirSync('/proc').filter(pid => /^\d+$/.test(pid));
  for (const pid of all) {
    try {
      assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(KEY), pid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }
});

test('as another account, a shell can read neither its server’s environment nor its files', {
  skip: notRoot,
}, async t => {
  const { open } = house(t, { account: NOBODY });
  const shell = await open();
  shell.type(
    `id -un; cat /proc/${process.pid}/environ; ls /proc/${process.pid}/fd; sudo -n id; echo do""ne\n`,
  );
  await shell.says(/nobody[\s\S]*Permission denied[\s\S]*Permission denied[\s\S]*done/);
});

test('a fork bomb, memory and processor time are bounded', { skip: notRoot }, async t => {
  const limits = { ...LIMITS, processes: 40, memory: 64 * 2 ** 20, cpu: 1 };
  const { call } = house(t, { account: { uid: 64_321, gid: 64_321 }, limits });
  const run = async (command: string) => {
    const { json } = await call('POST', '/execute?wait=20', { body: { command } });
    return { code: json.exit_code, said: saidIn(json) };
  };
  const bomb = await run("exec sh -c 'for i in $(seq 100); do sleep 1 & done' 2>&1");
  assert.match(bomb.said, /fork/);
  assert.match((await run('head -c 200000000 /dev/zero | tail')).said, /memory exhausted|Cannot allocate/);
  assert.match((await run('( while :; do :; done ); echo $?')).said, /Killed|137/);
});

test('an isolated shell is bounded as well, and so are its files that lie in memory', {
  skip: noBubblewrap,
}, async t => {
  const limits = { ...LIMITS, processes: 40, memory: 64 * 2 ** 20, cpu: 1 };
  // Of root's processes no system counts how many there are.
  const account = notRoot === false ? { uid: 64_322, gid: 64_322 } : null;
  const { call } = house(t, { isolate: 'bubblewrap', account, limits });
  const run = async (command: string) => {
    const { json } = await call('POST', '/execute?wait=20', { body: { command } });
    return saidIn(json);
  };
  if (notRoot === false)
    assert.match(await run("exec sh -c 'for i in $(seq 100); do sleep 1 & done' 2>&1"), /fork/);
  assert.match(await run('head -c 200000000 /dev/zero | tail'), /memory exhausted|Cannot allocate/);
  assert.match(await run('( while :; do :; done ); echo $?'), /Killed|137/);
  const said = await run(
    'for at in /tmp /dev/shm /dev / /home; do head -c 100000000 /dev/zero > $at/x; done; echo fits > ~/x; cat ~/x',
  );
  assert.equal(said.match(/No space left/g)?.length, 2, said);
  assert.equal(said.match(/Read-only/g)?.length, 3, said);
  assert.match(said, /fits/);
});

test('a server that is ended without warning leaves no shell, and nothing of one', async t => {
  const modes = noBubblewrap === false ? ['none', 'bubblewrap'] : ['none'];
  for (const mode of modes) {
    const homes = mkdtempSync(join(tmpdir(), 'shells-'));
    t.after(() => rmSync(homes, { recursive: true, force: true }));
    const host = spawn(process.execPath, [fileURLToPath(new URL('host.ts', import.meta.url)), homes, mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], SALLYPORT_SECRET: 'a-secret-for-the-host' },
    });
    await once(host.stdout, 'data');
    assert.deepEqual([running('7301'), running('7302')], [1, 1], mode);
    host.kill('SIGKILL');
    for (let round = 0; running('7301') + running('7302') > 0; round++) {
      assert.ok(round < 200, `${mode}: they run still`);
      await delay(50);
    }
  }
});

test('an isolated shell has its programs and its home, and nothing else of the machine', {
  skip: noBubblewrap,
}, async t => {
  const server = createServer(socket => socket.end('reached'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const secret = join(tmpdir(), `secret-of-${process.pid}`);
  writeFileSync(secret, 'the key');
  t.after(() => rmSync(secret));
  const { open, call, homes } = house(t, { isolate: 'bubblewrap' });

  const shell = await open('alice');
  shell.type(`whoami; echo $HOME $(hostname); ls -A /proc | grep -c '^[0-9]' | sed s/^/processes=/\n`);
  await shell.says(/user\r\n\/home\/user shell\r\nprocesses=[1-9]\r\n/);
  shell.type(
    `cat ${secret} ${homes}/x /etc/shadow /proc/${process.pid}/environ; touch /usr/x; (echo >/dev/tcp/127.0.0.1/${port}) && echo REACHED; echo "e""nd"\n`,
  );
  await shell.says(/end\r\n/);
  assert.equal(
    shell.output.match(/No such file|Read-only|refused|unreachable/g)!.length >= 5,
    true,
    shell.output,
  );
  assert.doesNotMatch(shell.output, /the key|^REACHED/m);
  shell.type('sleep 100 & jobs; stty size; echo mine > note; ls -A; exit\n');
  await shell.says(/Running[\s\S]*24 80[\s\S]*note/);
  await shell.closed;

  // File calls and commands are where its shells are.
  assert.equal((await call('GET', '/files/read?path=note')).json.content, 'mine\n');
  assert.equal((await call('GET', '/files/read?path=note', { user: 'bob' })).status, 404);
  for (const path of [
    secret,
    '/etc/shadow',
    '../../etc/shadow',
    `${homes}/.passwd`,
    `/proc/${process.pid}/environ`,
  ])
    assert.equal((await call('GET', `/files/read?path=${encodeURIComponent(path)}`)).status, 404, path);
  assert.deepEqual((await call('GET', '/files/list?directory=/home')).json.entries.length, 1);
  const { json } = await call('POST', '/execute?wait=10', { body: { command: 'cat note; ls /home /tmp' } });
  assert.equal(saidIn(json), 'mine\r\n/home:\r\nuser\r\n\r\n/tmp:\r\n');
});

test('an isolated shell reaches the network where it may', { skip: noBubblewrap }, async t => {
  const server = createServer(socket => socket.end('reached'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const { call } = house(t, { isolate: 'bubblewrap', network: true });
  const { json } = await call('POST', '/execute?wait=10', {
    body: { command: `cat < /dev/tcp/127.0.0.1/${port}` },
  });
  assert.equal(saidIn(json), 'reached');
});

test('what a machine cannot do is refused, and never left out', t => {
  if (notRoot !== false) assert.throws(() => house(t, { account: NOBODY }), ShellSettingsError);
  else {
    const homes = mkdtempSync(join(tmpdir(), 'closed-'));
    t.after(() => rmSync(homes, { recursive: true }));
    assert.throws(() => house(t, { account: NOBODY, homes: join(homes, 'shells') }), /cannot reach/);
  }
  assert.throws(() => house(t, { isolate: 'bubblewrap', homes: null }), ShellSettingsError);
});
