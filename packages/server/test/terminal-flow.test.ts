import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './fixtures/data-plane.ts';
import { terminalHouse } from './fixtures/terminal-house.ts';

const { bearer, create, attach } = await terminalHouse({ box: { generation: 'open-terminal' } });
const alice = await bearer('alice@corp.example');
const own = { headers: alice, protocols: ['sallyport.terminal.v1'] };
const BYTES = 8_000_000;

test('the shell waits for a client that has said pause, and nothing is lost when it goes on', async () => {
  const id = await create(alice, 'box');
  const client = attach('box', id, own);
  await client.open();
  const { from, to } = await client.told('attached');
  assert.deepEqual([from, to], [0, 0]);
  const watcher = attach('box', id, { ...own, query: '?mode=watch' });
  await watcher.open();
  await watcher.told('attached');
  client.say({ type: 'pause' });
  client.type(`head -c ${BYTES} /dev/zero | tr '\\0' x; echo; echo do""ne\n`);
  await eventually(() => watcher.bytes > 100_000);
  assert.equal(client.bytes, 0, 'others are shown what there is');
  client.say({ type: 'resume' });
  await eventually(() => client.bytes >= BYTES + 6, 20_000);
  assert.equal(client.bytes, BYTES + 6);
  // Far more than is kept was printed: that none of it is gone means that the shell has waited.
  assert.equal(client.texts.filter(({ type }) => type === 'attached').length, 1, 'no gap was told');
  client.drop();
  watcher.drop();
});

test('one that watches and has said pause holds up nobody, and is told what it missed', async () => {
  const id = await create(alice, 'box');
  const client = attach('box', id, own);
  await client.open();
  await client.told('attached');
  const watcher = attach('box', id, { ...own, query: '?mode=watch' });
  await watcher.open();
  await watcher.told('attached');
  watcher.say({ type: 'pause' });
  client.type(`head -c ${BYTES} /dev/zero | tr '\\0' x; echo; echo do""ne\n`);
  await eventually(() => client.bytes >= BYTES + 6, 20_000);
  assert.equal(watcher.bytes, 0);
  watcher.say({ type: 'resume' });
  await watcher.shows('done\n');
  const gaps = watcher.texts.filter(({ type, lost }) => type === 'attached' && lost !== 0);
  assert.equal(gaps.length, 1);
  assert.equal((gaps[0]!['lost'] as number) + watcher.bytes, BYTES + 6);
  client.drop();
  watcher.drop();
});

test('the last words of a shell reach a client that has said pause', async () => {
  const client = attach('box', await create(alice, 'box'), own);
  await client.open();
  await client.told('attached');
  client.say({ type: 'pause' });
  client.type('echo last words; exit\n');
  await client.end();
  assert.match(client.output.toString(), /^last words$/m);
  assert.equal(client.closed!.code, 1000);
});
