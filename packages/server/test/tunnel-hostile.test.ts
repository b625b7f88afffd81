import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { TYPE } from './contract/frames.ts';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { frameOf, hpack, startHostile } from './fixtures/hostile-agent.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** A gateway with an honest agent of Bob's, whom nothing that Alice's does may harm. */
async function house(t: TestContext) {
  const gateway = await startGateway(t);
  const [alice, bob] = await Promise.all([
    keyOf(gateway, 'alice@corp.example'),
    keyOf(gateway, 'bob@corp.example'),
  ]);
  const local = await startUpstream();
  t.after(() => local.close());
  const honest = startAgent(t, ['--gateway', gateway.url, '--name', 'site', '--web', local.url], {
    SALLYPORT_KEY: bob,
  });
  await honest.says(/connected {2}site/);
  const ask = (path = '/u/alice/wiki/x', key = alice, init: RequestInit = {}) =>
    fetch(`${gateway.url}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
  /** Whatever happened, the gateway runs and others are served. */
  const unharmed = async () => {
    assert.equal((await ask('/u/bob/site/x', bob)).status, 200);
    assert.equal(gateway.process.exitCode, null);
    assert.ok(!honest.output().includes('not connected'));
  };
  return { gateway, alice, bob, local, honest, ask, unharmed };
}

test('heads that HTTP/1.1 has no words for are errors of the call, whatever they hold', async t => {
  const { gateway, alice, ask, unharmed } = await house(t);
  const heads: (readonly [string, string])[][] = [
    [[':status', '000']],
    [[':status', '042']],
    [[':status', '999']],
    [[':status', '101']],
    [[':status', '600']],
    [[':status', 'abc']],
    [],
    [
      [':status', '200'],
      ['x-euro', '\u00e2\u0082\u00ac'],
    ],
    [
      [':status', '200'],
      ['x-bell', '\u0007'],
    ],
    [
      [':status', '200'],
      ['x-line', 'a\r\nset-cookie: b=c'],
    ],
    [
      [':status', '200'],
      ['X-Upper', 'a'],
    ],
    [
      [':status', '200'],
      ['x y', 'a'],
    ],
    [
      [':status', '200'],
      ['content-length', '-1'],
    ],
    [
      [':status', '200'],
      ['content-length', '5'],
      ['content-length', '7'],
    ],
    [
      [':status', '200'],
      ['transfer-encoding', 'chunked'],
    ],
    [
      [':status', '200'],
      ['connection', 'upgrade'],
      ['upgrade', 'x'],
    ],
    [
      [':status', '204'],
      ['content-length', '3'],
    ],
    [
      [':status', '200'],
      ['sallyport-error', 'nonsense'],
    ],
    [
      [':status', '200'],
      ['sallyport-error', '__proto__'],
    ],
    [
      [':status', '200'],
      ['__proto__', 'x'],
    ],
    [
      [':status', '200'],
      ['trailer', 'content-length'],
    ],
  ];
  for (const pairs of heads) {
    const agent = await startHostile(t, gateway, alice);
    const asked = ask().then(
      async res => {
        // It may break off behind its head.
        await res.text().catch(() => '');
        return res;
      },
      () => null,
    );
    const stream = await agent.call();
    agent.head(stream, pairs);
    agent.data(stream, 'abc', false);
    agent.head(
      stream,
      [
        ['content-length', '9'],
        ['x-trailer', '\u00e2\u0082\u00ac'],
      ],
      true,
    );
    assert.equal((await asked)?.headers.get('set-cookie') ?? null, null, JSON.stringify(pairs));
    assert.equal(gateway.process.exitCode, null, JSON.stringify(pairs));
    agent.socket.terminate();
  }
  await unharmed();
});

test('answers to what was never asked, pushes, and frames that no server may send end their own connection', async t => {
  const { gateway, alice, ask, unharmed } = await house(t);
  const ok = hpack([[':status', '200']]);
  const attacks: [string, Buffer][] = [
    ['an answer to a stream that was never opened', frameOf(1, 5, 99, ok)],
    ['data of one', frameOf(0, 1, 99, Buffer.from('x'))],
    ['a stream of its own', frameOf(1, 5, 2, ok)],
    ['a push', frameOf(5, 4, 1, Buffer.concat([Buffer.from([0, 0, 0, 2]), ok]))],
    ['a frame of 1 MiB', frameOf(0, 0, 1, Buffer.alloc(200 * 1024))],
    ['a window that overflows', frameOf(8, 0, 0, [0x7f, 0xff, 0xff, 0xff])],
    ['a window that does not grow', frameOf(8, 0, 0, [0, 0, 0, 0])],
    ['settings that cannot be', frameOf(4, 0, 0, [0, 4, 0xff, 0xff, 0xff, 0xff])],
    ['half a setting', frameOf(4, 0, 0, [0, 4])],
    ['a head that never ends', frameOf(1, 0, 5, ok)],
  ];
  for (const [what, bytes] of attacks) {
    const agent = await startHostile(t, gateway, alice);
    const asked = ask();
    await agent.call();
    agent.send(bytes);
    // Frames of other kinds within a head are no such head (RFC 9113 section 6.2).
    agent.send(frameOf(TYPE.PING, 0, 0, Buffer.alloc(8)));
    const { status } = await asked;
    assert.ok(status === 502, `${what}: ${status}`);
    agent.socket.terminate();
  }
  await unharmed();
});

test('floods end their own connection, or nothing at all: pings, settings, resets, heads, continuations', async t => {
  const { gateway, alice, ask, unharmed } = await house(t);
  const many = (count: number, frame: Buffer) => Buffer.concat(Array.from({ length: count }, () => frame));
  const floods: Record<string, (stream: number) => Buffer> = {
    pings: () => many(15_000, frameOf(TYPE.PING, 0, 0, Buffer.alloc(8))),
    settings: () => many(17_000, frameOf(TYPE.SETTINGS, 0, 0, [0, 3, 0, 0, 0, 100])),
    windows: () => many(17_000, frameOf(TYPE.WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])),
    resets: stream => many(17_000, frameOf(TYPE.RST_STREAM, 0, stream, [0, 0, 0, 8])),
    hints: stream => many(10_000, frameOf(1, 4, stream, hpack([[':status', '103']]))),
    continuations: stream =>
      Buffer.concat([
        frameOf(1, 0, stream, hpack([[':status', '200']])),
        many(5_000, frameOf(9, 0, stream, hpack([['x-a', 'b'.repeat(20)]]))),
      ]),
    nothings: stream =>
      Buffer.concat([
        frameOf(1, 4, stream, hpack([[':status', '200']])),
        many(20_000, frameOf(0, 0, stream, [])),
      ]),
    unknowns: () => many(20_000, frameOf(200, 0, 0, [])),
  };
  for (const [what, flood] of Object.entries(floods)) {
    const agent = await startHostile(t, gateway, alice);
    const asked = ask().then(
      res => res.text().catch(() => ''),
      () => '',
    );
    const stream = await agent.call();
    // It reads nothing of what it is answered.
    agent.socket.pause();
    for (let round = 0; round < 10; round++)
      for (let bytes = flood(stream); bytes.length > 0; bytes = bytes.subarray(65_536))
        agent.send(bytes.subarray(0, 65_536));
    await unharmed();
    agent.socket.terminate();
    await asked;
    await unharmed();
    t.diagnostic(what);
  }
});

test('an agent that grants no window, or takes no calls, holds its own callers only', async t => {
  const { gateway, alice, ask, unharmed } = await house(t);
  const agent = await startHostile(t, gateway, alice);
  agent.send(frameOf(TYPE.SETTINGS, 0, 0, [0, 4, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]));
  await eventually(() => agent.frames.filter(({ type }) => type === TYPE.SETTINGS).length > 1);
  const leaving = new AbortController();
  const waiting = Array.from({ length: 256 }, () =>
    ask('/u/alice/wiki/x', alice, { method: 'POST', body: 'x'.repeat(10_000), signal: leaving.signal }).catch(
      () => null,
    ),
  );
  for (let underWay = 0; underWay < 256; ) {
    const { items } = (await (await ask('/api/v1/tunnels')).json()) as { items: { under_way: number }[] };
    underWay = items[0]!.under_way;
  }
  assert.equal((await ask()).status, 503);
  await unharmed();
  leaving.abort();
  await Promise.all(waiting);
  await unharmed();
});

test('a caller who breaks off thousands of calls ends no call but their own', async t => {
  const { gateway, bob, local, ask, unharmed } = await house(t);
  local.intercept = req => req.url !== '/x';
  const other = new AbortController();
  const held = ask('/u/bob/site/held', bob, { signal: other.signal }).then(
    () => 'answered',
    (error: Error) => error.name,
  );
  await eventually(() => local.busy === 1);
  for (let round = 0; round < 20; round++) {
    const leaving = new AbortController();
    const from = local.busy;
    const calls = Array.from({ length: 100 }, () =>
      ask('/u/bob/site/silent', bob, { signal: leaving.signal }).catch(() => null),
    );
    await eventually(() => local.busy >= from + 100);
    leaving.abort();
    await Promise.all(calls);
    await eventually(() => local.busy === 1);
  }
  await unharmed();
  other.abort();
  assert.equal(await held, 'AbortError', 'nothing else has ended it');
  assert.equal(gateway.process.exitCode, null);
});

test('an agent whose WebSocket is none ends its own tunnel, and its callers are told; agents that speak through `ws` go on', async t => {
  const { gateway, alice, ask, unharmed } = await house(t);
  const broken: [string, number, string][] = [
    ['not masked', 1002, '8203616263'],
    ['a reserved bit', 1002, 'c28000000000'],
    ['much too long', 1009, '82ffffffffffffffffff'],
    ['a text', 1003, '818000000000'],
    ['a close of its own', 4001, '8882000000000fa1'],
  ];
  for (const [what, code, hex] of broken) {
    const agent = await startHostile(t, gateway, alice);
    const asked = ask();
    await agent.call();
    const closed = once(agent.socket, 'close') as Promise<[number]>;
    // Behind the back of the library.
    (Reflect.get(agent.socket, '_socket') as Socket).write(Buffer.from(hex, 'hex'));
    assert.equal((await closed)[0], code, what);
    assert.equal((await asked).status, 502, what);
    await unharmed();
  }
});
