import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from '../src/settings.ts';
import { house, KEY } from './house.ts';

test('what is typed is run, what it says comes, and its end is told', async t => {
  const { open } = house(t);
  const shell = await open();
  shell.type('echo $((6*7))-$TERM; pwd\n');
  await shell.says(/42-xterm-256color/);
  shell.type('exit 3\n');
  assert.deepEqual(await shell.closed, { code: 1000, reason: 'The shell has ended' });
});

test('a terminal has the size it is made with, and then that of its window', async t => {
  const { open } = house(t);
  const shell = await open('alice', { cols: 91, rows: 33 });
  shell.type('stty size\n');
  await shell.says(/33 91/);
  shell.resize(120, 40);
  shell.type('stty size\n');
  await shell.says(/40 120/);
  // Out of bounds it is brought in, and what is no size is passed over.
  shell.resize(100_000, -1);
  shell.socket.send('{"type":"resize","cols":"x"}');
  shell.socket.send('nothing');
  shell.resize(100_000, -1);
  shell.type('stty size\n');
  await shell.says(/1 1000/);
});

test('a terminal is its user’s: another one neither sees, gets, deletes nor attaches to it', async t => {
  const { call, open, attach } = house(t);
  const shell = await open('alice');
  shell.type('echo ready-$((1+1))\n');
  await shell.says(/ready-2/);
  assert.deepEqual((await call('GET', '/api/terminals', { user: 'bob' })).json, []);
  for (const method of ['GET', 'DELETE']) {
    const refused = await call(method, `/api/terminals/${shell.id}`, { user: 'bob' });
    assert.deepEqual([refused.status, refused.json], [404, { error: 'Session not found' }], method);
  }
  assert.equal((await attach(shell.id, 'bob').closed).code, 4004);
  const [own] = (await call('GET', '/api/terminals')).json;
  assert.deepEqual([own.id, own.attached], [shell.id, true]);
  assert.equal((await attach(shell.id).closed).code, 4009);
  assert.deepEqual((await call('DELETE', `/api/terminals/${shell.id}`)).json, { status: 'deleted' });
  assert.equal((await shell.closed).code, 1000);
  assert.equal((await call('GET', `/api/terminals/${shell.id}`)).status, 404);
});

test('the first message shows the key, is small, and is a text', async t => {
  const { call, attach } = house(t);
  const { id } = (await call('POST', '/api/terminals')).json;
  assert.equal((await attach(id, 'alice', 'another').closed).code, 4001);
  assert.equal((await attach(id, 'alice', KEY + 'x'.repeat(5_000)).closed).code, 4001);
  const refused = attach(id, 'alice', '');
  refused.socket.removeAllListeners('open');
  refused.type(JSON.stringify({ type: 'auth', token: KEY }));
  assert.equal((await refused.closed).code, 4001);
  assert.equal((await call('GET', '/api/terminals', { headers: { authorization: '' } })).status, 401);
  assert.equal((await call('GET', '/health', { headers: { authorization: '' } })).status, 200);
  assert.equal((await call('GET', '/api/config')).json.features.terminal, true);
});

test('a user has so many shells and no more, and all users together', async t => {
  const { call } = house(t, { limits: { ...LIMITS, perUser: 2, total: 3 } });
  const create = async (user: string) => (await call('POST', '/api/terminals', { user })).status;
  assert.deepEqual([await create('alice'), await create('alice'), await create('alice')], [200, 200, 429]);
  assert.deepEqual([await create('bob'), await create('bob')], [200, 429]);
});

test('a shell that nothing is typed into and that prints nothing ends, and so does one that nobody came to', async t => {
  let [now, wake] = [0, () => {}];
  // Long sleeps are the look for idle ones; a first message is waited for by the same clock, and comes at once.
  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (ms >= 30_000) wake = resolve;
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
    });
  const clock = { monotonic: () => now, now: () => Date.now(), sleep };
  const { call, open } = house(t, { clock, limits: { ...LIMITS, idle: 20 * 60_000 } });
  const ids = async () => (await call('GET', '/api/terminals')).json.map(({ id }: { id: string }) => id);
  const quiet = await open();
  await quiet.says(/\$ /);
  const { id: left } = (await call('POST', '/api/terminals')).json;
  const busy = await open();
  await busy.says(/\$ /);
  assert.deepEqual(await ids(), [quiet.id, left, busy.id]);

  now += 10 * 60_000;
  busy.type('echo st""ill\n');
  await busy.says(/still/);
  wake();
  for (let n = 0; (await ids()).includes(left); n++) {
    assert.ok(n < 1_000, 'nobody came to it for ten minutes');
    await delay(10);
  }
  assert.deepEqual(await ids(), [quiet.id, busy.id]);

  now += 10 * 60_000;
  wake();
  assert.equal((await quiet.closed).code, 1000);
  assert.deepEqual(await ids(), [busy.id]);
});
