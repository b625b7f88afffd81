import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './fixtures/data-plane.ts';
import type { TerminalClient } from './fixtures/terminal-client.ts';
import { terminalHouse } from './fixtures/terminal-house.ts';

/** How often a client is dropped while a counter prints. */
const DROPS = Number(process.env['SALLYPORT_TEST_DROPS'] ?? 1_000);
/** Bytes that are kept at least. */
const KEPT = 256 * 1024;

const { gateway, servers, bearer, as, create, attach } = await terminalHouse({
  box: { generation: 'open-terminal' },
  brief: { generation: 'open-terminal', config: { reattach: '1s', orphanAfter: '1s' } },
  idle: { generation: 'open-terminal', config: { idle: '1s' } },
  short: { generation: 'open-terminal', config: { lifetime: '1s' } },
  dying: { generation: 'open-terminal' },
});
const alice = await bearer('alice@corp.example');
const SPEAKS = ['sallyport.terminal.v1'];
const own = { headers: alice, protocols: SPEAKS };

const settled = (client: TerminalClient) => client.open().then(() => client.told('attached'));

test(`a client that is dropped ${DROPS} times while a counter prints loses no byte and gets none twice`, async () => {
  const id = await create(alice, 'box');
  let next = 0;
  let counted = '';
  let at = 0;
  /** The numbers that must have been printed, in one text; what has been compared is let go. */
  const expect = (bytes: Buffer) => {
    while (counted.length < bytes.length) counted += `${++at}\n`;
    assert.equal(bytes.toString('latin1'), counted.slice(0, bytes.length));
    counted = counted.slice(bytes.length);
  };
  const first = attach('box', id, own);
  await first.open();
  first.type('i=0; while :; do i=$((i+1)); echo $i; [ $((i % 500)) = 0 ] && sleep 0.01; done\n');
  await first.shows('100\n');
  first.drop();
  expect(first.output);
  next = first.bytes;
  for (let n = 0; n < DROPS; n++) {
    const client = attach('box', id, { ...own, query: `?from=${next}` });
    const { from, lost } = await settled(client);
    assert.deepEqual([from, lost], [next, 0], `reconnect ${n}`);
    if (n % 10 === 0) await client.until(() => client.bytes > 0);
    client.drop();
    // Taken after the drop: nothing comes any more.
    expect(client.output);
    next += client.bytes;
  }
  assert.ok(next > 10_000, `${next}`);
  assert.equal((await as(alice)('DELETE', `/terminals/box/api/terminals/${id}`)).status, 200);
});

test('more than is kept is lost, and how much is said', async () => {
  const id = await create(alice, 'box');
  const client = attach('box', id, own);
  await client.open();
  client.type('echo st""art\n');
  await client.shows('start\n');
  client.type('sleep 0.3; seq 1 200000; echo e""nd\n');
  client.drop();
  const total =
    'start\n'.length + [...Array(200_000).keys()].map(n => `${n + 1}\n`).join('').length + 'end\n'.length;
  // Nobody waits for one that watches.
  const watcher = attach('box', id, { ...own, query: '?mode=watch' });
  await watcher.shows('end\n', 20_000);
  watcher.drop();
  const back = attach('box', id, { ...own, query: `?from=${client.bytes}` });
  const { from, lost } = (await settled(back)) as { from: number; lost: number };
  await back.shows('end\n');
  assert.equal(client.bytes + lost, from);
  assert.equal(from + back.bytes, total);
  assert.ok(back.bytes >= KEPT && back.bytes < KEPT + 128 * 1024, `${back.bytes}`);
  // One that says nothing gets all that is kept; one that says nonsense too.
  for (const query of ['', '?from=x', '?from=99999999999']) {
    const again = attach('box', id, { ...own, query });
    await again.shows('end\n');
    assert.equal(again.bytes, back.bytes);
  }
  // One that shows nothing but the output is told in it.
  for (const [query, gone] of [
    [`?from=${client.bytes}`, lost],
    ['', from],
    [`?from=${from}`, 0],
  ] as const) {
    const plain = attach('box', id, { headers: alice, query });
    await plain.shows('end\n');
    const [line] = /^\x18\r\n.*\r\n/.exec(plain.output.toString()) ?? [''];
    assert.equal(
      /\[… ([\d,]+) bytes before this are gone …\]/.exec(line)?.[1] ?? '0',
      gone.toLocaleString('en'),
    );
    assert.ok(
      plain.output.subarray(Buffer.byteLength(line)).equals(back.output),
      'and the rest is as it was',
    );
    plain.drop();
  }
});

test('another window watches, or takes over; whoever lost the keyboard is told', async () => {
  const id = await create(alice, 'box');
  const first = attach('box', id, own);
  await first.open();
  first.say({ type: 'resize', cols: 90, rows: 30 });
  first.type('echo o""ne\n');
  await first.shows('one\n');
  const watcher = attach('box', id, { ...own, query: '?mode=watch' });
  const { mode, cols, rows } = await settled(watcher);
  assert.deepEqual([mode, cols, rows], ['watch', 90, 30]);
  await watcher.shows('one\n');
  watcher.type('echo in""truder\n');
  watcher.say({ type: 'resize', cols: 10, rows: 10 });
  first.say({ type: 'resize', cols: 91, rows: 31 });
  assert.deepEqual(await watcher.told('size'), { type: 'size', cols: 91, rows: 31 });
  watcher.say({ type: 'take' });
  await first.told('taken');
  watcher.type('echo t""wo\n');
  await watcher.shows('two\n');
  await first.shows('two\n');
  assert.ok(!first.output.includes('intruder'));
  // What knows nothing of our texts is closed, as at a terminal server that is attached elsewhere.
  const plain = attach('box', id, { headers: alice });
  await plain.shows('two\n');
  const newest = attach('box', id, { headers: alice });
  assert.equal((await plain.end()).code, 4009);
  const listed = (await as(alice)('GET', '/terminals/box/api/terminals')).body as {
    id: string;
    attached: boolean;
  }[];
  assert.equal(listed.find(one => one.id === id)!.attached, true);
  for (const client of [first, watcher, newest]) client.drop();
});

test('a slow reader pauses the shell, not the gateway’s memory, and gets everything in the end', async () => {
  const server = servers['box']!;
  const id = await create(alice, 'box');
  const client = attach('box', id, own);
  await settled(client);
  const size = 64 * 1024 * 1024;
  const before = server.sent;
  client.type(`yes | head -c ${size}\n`);
  await eventually(() => client.bytes > 0);
  client.socket.pause();
  let last = -1;
  await eventually(() => {
    const still = server.sent === last;
    last = server.sent;
    return still && server.sent - before > 100_000 && stillFor(50, server.sent);
  }, 10_000);
  assert.ok(server.sent - before < 24 * 1024 * 1024, `${server.sent - before}`);
  client.socket.resume();
  await client.until(() => client.bytes === size, 30_000);
  assert.ok(client.output.equals(Buffer.alloc(size, 'y\n')));
  assert.equal(client.texts.filter(({ type }) => type === 'attached').length, 1, 'no gap');
  client.drop();
});

/** Whether a number has not changed for so many milliseconds. */
const stillFor = (() => {
  let value = -1;
  let since = 0;
  return (ms: number, now: number): boolean => {
    if (now !== value) [value, since] = [now, performance.now()];
    return performance.now() - since > ms;
  };
})();

test('a terminal that nobody comes back to, and one that nobody ever came to, end at their server', async () => {
  const server = servers['brief']!;
  const never = await create(alice, 'brief');
  const left = await create(alice, 'brief');
  const client = attach('brief', left, own);
  await settled(client);
  // Longer than either limit: whoever is there keeps it.
  await eventually(() => !server.shells.has(never), 10_000);
  assert.ok(server.shells.has(left));
  assert.equal(client.closed, null);
  client.drop();
  await eventually(() => server.shells.size === 0, 10_000);
  assert.equal((await attach('brief', left, own).end()).code, 4004);
});

test('an attachment ends when nothing happens in it, and when it is old', async () => {
  for (const name of ['idle', 'short']) {
    const client = attach(name, await create(alice, name), own);
    await settled(client);
    const typing = setInterval(() => name === 'short' && client.type('echo x\n'), 100);
    assert.equal((await client.end(10_000)).code, 4008);
    clearInterval(typing);
  }
});

test('a terminal server that dies, and a gateway that is restarted, are told apart; no shell stays', async () => {
  const client = attach('dying', await create(alice, 'dying'), own);
  await settled(client);
  await servers['dying']!.kill();
  assert.deepEqual(await client.end(), { code: 1011, reason: 'the terminal server is gone' });

  const server = servers['box']!;
  const id = await create(alice, 'box');
  const other = attach('box', id, own);
  await settled(other);
  assert.equal(await gateway.stop(), 0);
  assert.deepEqual(await other.end(), { code: 1001, reason: 'the gateway is restarting' });
  await eventually(() => !server.shells.has(id));
  await gateway.restart();
  assert.equal((await attach('box', id, own).end()).code, 4004);

  const anew = await create(alice, 'box');
  const killed = attach('box', anew, own);
  await settled(killed);
  await gateway.kill();
  assert.equal((await killed.end()).code, 1006);
  await eventually(() => !server.shells.has(anew));
  await gateway.restart();
});
