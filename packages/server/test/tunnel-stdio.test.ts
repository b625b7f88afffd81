import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from './fixtures/data-plane.ts';
import { program, tunnelTo } from './fixtures/tunnel.ts';

/** A program of one line of script. */
const script = (text: string) => [process.execPath, '-e', text];
/** Answers each line with its process id and that line. */
const ECHO = script(
  `require('readline').createInterface({ input: process.stdin }).on('line', line =>
    console.log(JSON.stringify({ pid: process.pid, line: JSON.parse(line) })));`,
);
const published = (name: string) => [
  process.execPath,
  fileURLToPath(
    new URL(`../../../node_modules/@modelcontextprotocol/${name}/dist/index.js`, import.meta.url),
  ),
];
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '0' } },
};
const message = (value: unknown) => JSON.stringify(value);

test('a published server is spoken with through the tunnel, and its words on standard error are in the log', async t => {
  const { open, logged } = await tunnelTo(t, program(published('server-everything')));
  const { line, next } = open({ instance: 'a' });
  line.send(message(initialize));
  const answer = (await next()) as { result: { serverInfo: { name: string } } };
  assert.match(answer.result.serverInfo.name, /everything/);
  line.send(message({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  line.send(
    message({
      jsonrpc: '2.0',
      id: 2,
      method: 'tools/call',
      params: { name: 'echo', arguments: { message: 'hi' } },
    }),
  );
  for (;;) {
    const read = (await next()) as { id?: number; result?: { content: { text: string }[] } };
    if (read.id !== 2) continue;
    assert.match(read.result!.content[0]!.text, /hi/);
    break;
  }
  await eventually(() => logged.length > 0);
});

test('each instance has a process of its own, where it is isolated; else all have one', async t => {
  const apart = await tunnelTo(t, program(ECHO, { isolate: 'principal' }));
  const [alice, bob] = [apart.open({ instance: 'alice' }), apart.open({ instance: 'bob' })];
  alice.line.send('1');
  bob.line.send('2');
  const pids = [(await alice.next())['pid'], (await bob.next())['pid']];
  assert.notEqual(pids[0], pids[1]);

  const shared = await tunnelTo(t, program(ECHO, { isolate: 'shared' }));
  const first = shared.open({ instance: 'alice' });
  first.line.send('1');
  await first.next();
  // A second line takes the one program's place.
  const second = shared.open({ instance: 'bob' });
  second.line.send('2');
  await second.next();
  assert.match((await first.closed)!.message, /program behind the tunnel alice\/tool/);
});

test('a probe has a program of its own, which goes with it', async t => {
  const { open } = await tunnelTo(t, program(ECHO, { isolate: 'shared' }));
  const serving = open({ instance: 'x' });
  serving.line.send('1');
  const { pid } = await serving.next();
  const probe = open({ instance: 'x', probe: true });
  probe.line.send('2');
  const thrown = (await probe.next())['pid'] as number;
  assert.notEqual(thrown, pid);
  probe.line.close();
  assert.equal(await probe.closed, null);
  await eventually(() => !alive(thrown));
  serving.line.send('3');
  assert.equal((await serving.next())['pid'], pid);
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a program that crashes ends its line with words that say so, and the next starts a little later', async t => {
  const { open, logged } = await tunnelTo(
    t,
    program(script(`process.stdin.once('data', () => process.exit(7))`)),
  );
  const before = performance.now();
  for (let crash = 0; crash < 3; crash++) {
    const { line, closed } = open({ instance: 'a' });
    line.send(message(initialize));
    const error = (await closed)!;
    assert.equal(error.code, 'upstream_failed');
    assert.match(error.message, /ended\. What it was asked has no answer/);
  }
  assert.ok(performance.now() - before >= 750, 'a quarter and a half of a second were waited');
  assert.ok(logged.some(text => text.includes('the program ended (exit code 7)')));
});

test('a program that does not start is said to be so', async t => {
  const { open, logged } = await tunnelTo(t, program(['/nonexistent/program']));
  const { closed } = open({ instance: 'a' });
  assert.equal((await closed)!.code, 'upstream_failed');
  assert.ok(logged.some(text => text.includes('ENOENT')));
});

test('no more programs run than may', async t => {
  const { open } = await tunnelTo(t, program(ECHO, { most: 1 }));
  const first = open({ instance: 'a' });
  first.line.send('1');
  await first.next();
  const second = open({ instance: 'b' });
  assert.equal((await second.closed)!.code, 'unavailable');
  first.line.send('2');
  await first.next();
});

test('a program that nobody asks anything is stopped', async t => {
  const { open } = await tunnelTo(t, program(ECHO, { idle: 3_000 }));
  const { line, next, closed } = open({ instance: 'a' });
  line.send('1');
  const { pid } = await next();
  assert.match((await closed)!.message, /was idle and is stopped/);
  await eventually(() => !alive(pid as number));
});

test('when the tunnel is lost, its programs end', async t => {
  const { open, connection } = await tunnelTo(t, program(ECHO));
  const { line, next, closed } = open({ instance: 'a' });
  line.send('1');
  const { pid } = await next();
  connection.end('the network went away');
  assert.match((await closed)!.message, /alice\/tool was lost .*the network went away/);
  await eventually(() => !alive(pid as number));
});

test('a line of 16 MiB passes; a longer one ends the program', async t => {
  const text = (length: number) =>
    script(
      `process.stdin.once('data', () => process.stdout.write(JSON.stringify('x'.repeat(${length} - 2)) + '\\n'))`,
    );
  const most = 16 * 1024 * 1024;
  const fits = (await tunnelTo(t, program(text(most)))).open({ instance: 'a' });
  fits.line.send('1');
  assert.equal(String(await fits.next()).length, most - 2);
  const tooLong = (await tunnelTo(t, program(text(most + 1)))).open({ instance: 'a' });
  tooLong.line.send('1');
  assert.equal((await tooLong.closed)!.code, 'upstream_failed');
  assert.deepEqual(tooLong.messages, []);
});

test('tools that the agent does not allow are not called, and are in no list', async t => {
  const allow = { tools: ['get-*', 'echo'], deniedTools: ['get-env'], paths: [] };
  const { open } = await tunnelTo(t, program(published('server-everything'), { allow }));
  const { line, next } = open({ instance: 'a' });
  const answerTo = async (id: number) => {
    for (;;) {
      const read = await next();
      if (read['id'] === id)
        return read as { result?: { tools: { name: string }[] }; error?: { message: string } };
    }
  };
  line.send(message(initialize));
  await answerTo(1);
  line.send(message({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  line.send(message({ jsonrpc: '2.0', id: 2, method: 'tools/list' }));
  const names = (await answerTo(2)).result!.tools.map(({ name }) => name);
  assert.ok(names.includes('echo'));
  assert.ok(
    names.every(name => name === 'echo' || (name.startsWith('get-') && name !== 'get-env')),
    String(names),
  );
  line.send(message({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'get-env' } }));
  assert.match((await answerTo(3)).error!.message, /not allowed by the agent/);
});
