import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../test/fixtures/data-plane.ts';
import { TerminalClient } from '../../test/fixtures/terminal-client.ts';
import { AppError } from '../platform/errors.ts';
import { createTerminals, type TerminalsDeps } from './terminals.ts';

/** A gateway's end that knows nobody, and whose clock is the test's. */
async function strangersHouse(t: TestContext) {
  const sleepers = new Set<{ until: number; wake: () => void }>();
  let now = 0;
  const unknown = new AppError('unauthenticated', 'Sign in.', { headers: { 'www-authenticate': 'Bearer' } });
  const terminals = createTerminals({
    identity: { authenticate: () => Promise.reject(unknown) },
    addressOf: () => '192.0.2.1',
    log: { warn() {} },
    runtime: {
      monotonic: () => now,
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          const sleeper = { until: now + ms, wake: resolve };
          sleepers.add(sleeper);
          signal?.addEventListener('abort', () => {
            sleepers.delete(sleeper);
            reject(signal.reason as Error);
          });
        }),
    },
    // Nothing else is asked for a stranger.
  } as unknown as TerminalsDeps);
  const server = createServer();
  server.on('upgrade', (req, socket: Socket, head) => void terminals.upgrade({ req, socket, head }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    sleepers,
    attach() {
      const { port } = server.address() as AddressInfo;
      const client = new TerminalClient(`http://127.0.0.1:${port}/terminals/box/api/terminals/x`);
      t.after(() => client.drop());
      return client.open();
    },
    pass(ms: number) {
      now += ms;
      for (const sleeper of sleepers) if (sleeper.until <= now) sleeper.wake();
    },
  };
}

test('who does not say who they are within 10 s is closed, and has not been a moment before', async t => {
  const { attach, sleepers, pass } = await strangersHouse(t);
  const client = await attach();
  await eventually(() => sleepers.size === 1);
  pass(9_999);
  // Its answer to a ping comes after anything that was sent before.
  client.socket.ping();
  await once(client.socket, 'pong');
  assert.equal(client.closed, null);
  pass(1);
  assert.deepEqual(await client.end(), {
    code: 4001,
    reason: 'no valid credential came in the first message',
  });
  assert.equal(sleepers.size, 0, 'nobody is waited for any more');
});

test('a ping, a piece of a frame, and an unfinished message do not lengthen the 10 s', async t => {
  const { attach, sleepers, pass } = await strangersHouse(t);
  const client = await attach();
  await eventually(() => sleepers.size === 1);
  pass(6_000);
  client.socket.ping();
  client.socket.send('{"type":"auth",', { fin: false });
  await once(client.socket, 'pong');
  pass(4_000);
  assert.equal((await client.end()).code, 4001);
});
