import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { SocketStream } from '@sallyport/protocol/socket-stream.ts';
import { openSession } from '../../agent/src/session.ts';
import type { AppError } from '../src/platform/errors.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import { Connection } from '../src/tunnels/connection.ts';
import { createTally } from '../src/tunnels/tally.ts';
import { TunnelCall } from '../src/tunnels/tunnel-call.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startFaultProxy } from './fixtures/fault-proxy.ts';
import { createCalls } from './fixtures/faults-calls.ts';
import { startHouse } from './fixtures/faults-house.ts';
import { faultsIn, kills, quantile, tallied } from './fixtures/faults-kills.ts';
import { sameIds } from './fixtures/faults-same-ids.ts';
import { slowReader } from './fixtures/faults-slow-reader.ts';

// The same at full size: `npm run faults`.

test('whatever is killed, each call ends once: with its answer, or with an error that says so', async t => {
  const size = { kills: 10, calls: 5_000 };
  const report = await kills(t, size, text => t.diagnostic(text));
  assert.deepEqual(faultsIn(report, size.calls), []);
  const endings = tallied(report.endings);
  for (const [ending, count] of Object.entries(endings)) t.diagnostic(`${count} × ${ending}`);
  assert.ok(endings['answered']! > size.calls / 2, 'most calls met no fault');
  assert.ok(Object.keys(endings).length > 1, 'some did');
  const took = report.reconnects.map(reconnect => reconnect.took);
  t.diagnostic(`back after: p50 ${quantile(took, 0.5).toFixed()} ms, most ${Math.max(...took).toFixed()} ms`);
});

test('twenty clients who number their calls alike on one program get their own answers and progress', async t => {
  assert.deepEqual(await sameIds(t, 4_000, text => t.diagnostic(text)), []);
});

test('a reader of 1 KB a second and results of 16 MiB neither stop others nor fill the memory', async t => {
  const { slow, large, grown } = await slowReader(t, 2_000, text => t.diagnostic(text));
  assert.ok(slow < 64 * 1024, 'it is slow');
  assert.equal(large % (16 * 1024 * 1024), 0, 'each came whole');
  if (grown === null) return;
  for (const [who, bytes] of Object.entries(grown))
    assert.ok(bytes < 128 * 1024 * 1024, `the ${who} holds ${(bytes / 2 ** 20).toFixed()} MB more`);
});

test('while the network swallows everything, a newer agent takes the name and the old one is fenced', async t => {
  const house = await startHouse(t);
  const { byHttp, close } = createCalls(house);
  t.after(close);
  assert.equal((await byHttp('before')).how, 'answered');
  house.network.freeze();
  const lost = byHttp('lost');
  const old = house.agent();
  // The same agent again, by another network: what a laptop does that changed its own.
  const next = house.startAgent(house.gateway.url);
  await next.says(/connected {2}tool/);
  const ending = await lost;
  assert.equal(ending.how, 'refused');
  assert.match((ending as { said: string }).said, /alice\/wiki was lost .*newer connection/);
  assert.equal((await byHttp('after')).how, 'answered');
  house.network.thaw();
  const [code] = (await once(old.process, 'exit')) as [number];
  assert.equal(code, 3, 'it stays away');
  assert.equal((await byHttp('still')).how, 'answered');
  // What lay in the network reached the old agent in the end: its caller was told that nobody knows.
  assert.ok(house.acted().filter(call => call === 'lost').length <= 1);
});

test('a network that swallows everything is noticed at both ends after 30 s, and callers hear which tunnel it was', async t => {
  const { clock, goOn } = stoppedClock();
  const network = await startFaultProxy(t);
  const listener = createServer();
  t.after(() => listener.close());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  network.to((listener.address() as AddressInfo).port);
  const socket = connect(network.port, '127.0.0.1');
  const [[accepted]] = (await Promise.all([once(listener, 'connection'), once(socket, 'connect')])) as [
    [Socket],
    unknown,
  ];
  const connection = new Connection(new SocketStream(accepted, 'gateway', clock.monotonic), 1, {
    ...systemRuntime,
    ...clock,
  });
  let under = 0;
  const agent = openSession({
    stream: new SocketStream(socket, 'agent', clock.monotonic),
    hello: { protocol: 1, agent: { name: 'test', version: '0', instance: 'x' }, servers: [] },
    // It takes its time.
    servers: new Map([['wiki', { handle: () => void under++, async [Symbol.asyncDispose]() {} }]]),
    clock,
    noticed() {},
  });
  const call = Promise.withResolvers<AppError>();
  const request = { method: 'GET', path: '/', headers: [], body: null, headersTimeout: 60_000 };
  const receiver = {
    begin: () => true,
    head() {},
    data() {},
    end() {},
    error: (error: Error) => call.resolve(error as AppError),
  };
  new TunnelCall('alice/wiki', request, receiver, createTally(systemRuntime)).start(connection, 'wiki');
  await eventually(() => under === 1);

  network.freeze();
  let ended = false;
  void agent.ended.then(() => (ended = true));
  await goOn(15_000);
  await goOn(14_999);
  assert.deepEqual([connection.over, ended], [false, false]);
  await goOn(1);
  const said = /nothing was heard of the (agent|gateway) for 30 s/;
  assert.match(await connection.ended, said);
  assert.match(await agent.ended, said);
  const error = await call.promise;
  assert.equal(error.code, 'upstream_failed');
  assert.match(
    error.message,
    /The tunnel alice\/wiki was lost .*for 30 s\. Whether the call took effect is not known/,
  );
});

/** Time that stands until it is told to go on. */
function stoppedClock() {
  let now = 0;
  const waiting = new Set<{ at: number; wake: () => void }>();
  const clock: Clock = {
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const one = { at: now + ms, wake: resolve };
        waiting.add(one);
        signal?.addEventListener('abort', () => {
          waiting.delete(one);
          reject(signal.reason);
        });
      }),
  };
  return {
    clock,
    async goOn(ms: number) {
      now += ms;
      for (const one of [...waiting])
        if (one.at <= now) {
          waiting.delete(one);
          one.wake();
        }
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}
