import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { systemRuntime } from '../../platform/runtime.ts';
import { ForeignSession } from './foreign-session.ts';

test('a second generation agent whose server is no longer well is let go after 90 s, though it answers pings', async t => {
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.after(() => listener.close());
  await once(listener, 'listening');
  const socket = new WebSocket(`ws://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  t.after(() => socket.terminate());
  const [[accepted]] = (await Promise.all([once(listener, 'connection'), once(socket, 'open')])) as [
    [WebSocket],
    unknown,
  ];
  let now = 0;
  let wake = () => {};
  const session = new ForeignSession(accepted, {
    id: 'rps_1',
    epoch: 1,
    runtime: {
      ...systemRuntime,
      monotonic: () => now,
      // Those of half a minute are the connection's own heartbeat.
      sleep: ms =>
        new Promise(resolve => {
          if (ms > 30_000) wake = resolve;
        }),
    },
    registered: async () => null,
  });
  const up = async (frame: object, until: () => boolean) => {
    socket.send(JSON.stringify(frame));
    while (!until()) await once(accepted, 'message');
  };
  await up({ type: 'register', server: { name: 'two' } }, () => session.info !== null);
  const beat = async () => {
    const { bytes } = session;
    await up({ type: 'heartbeat' }, () => session.bytes > bytes);
  };
  await beat();
  now = 60_000;
  await beat();
  now = 100_000;
  wake();
  await new Promise(setImmediate);
  assert.equal(session.over, false, 'it was heard 40 s ago');
  now = 150_000;
  const closed = once(socket, 'close');
  wake();
  assert.match(await session.ended, /said nothing of its server for 90 s/);
  assert.equal((await closed)[0], 1001);
});
