import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually, principal, upstream } from '../../test/fixtures/data-plane.ts';
import { createWays } from '../forward/ways.ts';
import { createBus } from '../platform/bus.ts';
import { TERMINAL_RULES } from '../terms/upstream.ts';
import { createAcceptor } from './accept.ts';
import type { Guest } from './guests.ts';
import { createHeldTerminals } from './held-terminals.ts';

/** A window, a terminal server, and what holds both together, by a clock that the test moves; each end answers pings or does not. */
async function ground(t: TestContext, answers: { server: boolean; client: boolean }) {
  const heard = { pings: 0, keys: '' };
  const far = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: answers.server });
  far.on('connection', socket => {
    socket.on('ping', () => (heard.pings += 1));
    socket.on('message', (data, binary) => binary && (heard.keys += String(data)));
  });
  await once(far, 'listening');
  t.after(() => {
    for (const socket of far.clients) socket.terminate();
    far.close();
  });
  const url = `http://127.0.0.1:${(far.address() as AddressInfo).port}`;
  const to = upstream('box', url, { kind: 'terminal', terminal: TERMINAL_RULES });
  const ways = createWays({
    configured: [to],
    upstreams: { list: () => [to] },
    bus: createBus(),
    embedded: () => assert.fail('none is embedded'),
  });
  t.after(() => ways[Symbol.asyncDispose]());
  const clock = { now: 0 };
  const held = createHeldTerminals({
    servant: {
      async attach(_ask, _renewed, signal) {
        const { stream } = await ways.socketTo(to).open('/terminal', [], signal);
        return { stream, firstMessage: '{}' };
      },
      lives: async () => null,
      remove: async () => true,
    },
    store: { remove: async () => {} },
    changed() {},
    record: () => assert.fail('nothing is recorded'),
    open: { set() {} } as never,
    audit: { record() {} } as never,
    runtime: { monotonic: () => clock.now },
    log: { warn() {} },
  });
  const who = principal('alice');
  const guest: Guest = {
    principal: who,
    actor: { userId: who.userId, credentialId: null, address: null } as never,
    stands: async () => true,
  };
  const accept = createAcceptor();
  const near = createServer();
  near.on('upgrade', (req: IncomingMessage, socket: Socket, head) =>
    accept(req, socket, head, webSocket =>
      held.show(webSocket, {
        connection: socket,
        guest,
        upstream: to,
        terminal: {
          upstreamId: 'box',
          id: 'tty',
          userId: who.userId,
          sessionId: null,
          contextId: null,
          createdAt: 0,
        },
        wish: { mode: 'take', from: null, speaks: false },
        early: [],
      }),
    ),
  );
  near.listen(0, '127.0.0.1');
  await once(near, 'listening');
  t.after(() => near.close());
  const window = new WebSocket(`ws://127.0.0.1:${(near.address() as AddressInfo).port}`, {
    autoPong: answers.client,
  });
  t.after(() => window.terminate());
  let asked = 0;
  window.on('ping', () => (asked += 1));
  const closed = once(window, 'close') as Promise<[number]>;
  await once(window, 'open');
  return {
    window,
    closed,
    heard,
    asked: () => asked,
    /** So much later it is looked around. */
    pass(ms: number) {
      clock.now += ms;
      held.sweep();
    },
    /** A key that has come through shows that all before it has as well. */
    async type(key: string) {
      window.send(Buffer.from(key));
      await eventually(() => heard.keys.endsWith(key));
    },
  };
}

/** What was sent within this process has been read after some turns of its loop. */
async function turns(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise(resolve => setImmediate(resolve));
}

test('both ends are asked for a sign of life when they are quiet, and who gives one stays', async t => {
  const { window, heard, asked, pass, type } = await ground(t, { server: true, client: true });
  await type('a');
  for (let round = 1; round <= 4; round++) {
    pass(16_000);
    await eventually(() => heard.pings >= round && asked() >= round);
    await type(String(round));
  }
  assert.equal(window.readyState, WebSocket.OPEN);
});

test('a terminal server that gives no sign of life for 40 s is gone', async t => {
  const { closed, heard, pass, type } = await ground(t, { server: false, client: true });
  await type('a');
  pass(16_000);
  await eventually(() => heard.pings === 1);
  await type('b');
  pass(16_000);
  await type('c');
  pass(9_000);
  assert.equal((await closed)[0], 1011);
});

test('a window that gives no sign of life for 40 s is let go, whatever its shell prints', async t => {
  const { closed, asked, heard, pass, type } = await ground(t, { server: true, client: false });
  await type('a');
  pass(16_000);
  await eventually(() => asked() === 1 && heard.pings === 1);
  await turns();
  pass(16_000);
  await eventually(() => asked() === 2 && heard.pings === 2);
  await turns();
  pass(9_000);
  assert.equal((await closed)[0], 1006);
});
