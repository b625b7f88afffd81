import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually, RawClient } from './fixtures/data-plane.ts';
import { type Gateway, startGateway } from './fixtures/gateway.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** A gateway before an upstream whose every answer is a stream that goes on until the test ends it. */
async function streaming(t: TestContext, config: Record<string, unknown>) {
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const endless: ServerResponse[] = [];
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: first\n\n');
    endless.push(res);
    return true;
  };
  const gateway = await startGateway(t, {
    config: {
      upstreams: [{ id: 'up', kind: 'http', url: upstream.url, access: { everyone: true } }],
      authRequired: false,
      ...config,
    },
  });
  return { gateway, endless };
}

/** A stream's text so far, and how it ended. */
async function open(gateway: Gateway) {
  const asked = request(`${gateway.url}/u/up/x`, { agent: false }).end();
  const [res] = (await once(asked, 'response')) as [IncomingMessage];
  const stream = { text: '', ended: null as 'whole' | 'cut' | null };
  res.setEncoding('utf8').on('data', chunk => (stream.text += chunk));
  res.on('end', () => (stream.ended = 'whole')).on('error', () => (stream.ended = 'cut'));
  return stream;
}

async function dial(gateway: Gateway): Promise<RawClient> {
  const socket = connect(gateway.port, '127.0.0.1');
  await once(socket, 'connect');
  return new RawClient(socket, `localhost:${gateway.port}`);
}

const refuses = async (gateway: Gateway): Promise<void> => {
  for (;;) {
    const socket = connect(gateway.port, '127.0.0.1');
    const event = await Promise.race([
      once(socket, 'connect').then(() => 'connect'),
      once(socket, 'error').then(() => 'error'),
    ]).catch(() => 'error');
    socket.destroy();
    if (event === 'error') return;
  }
};

test('SIGTERM under 100 streams: nothing new is taken, what ends in time ends whole, the rest is cut, and the exit code is 0', async t => {
  const { gateway, endless } = await streaming(t, { drainTimeout: '3s' });
  const streams = await Promise.all(Array.from({ length: 100 }, () => open(gateway)));
  const [kept, busy] = [await dial(gateway), await dial(gateway)];
  const ready = `GET /readyz HTTP/1.1\r\nHost: ${kept.host}\r\n\r\n`;
  kept.send(ready);
  await kept.until(/"ok"/);
  busy.send(`GET /healthz HTTP/1.1\r\nHost: ${busy.host}\r\n\r\n`);
  await busy.until(/"ok"/);

  const started = performance.now();
  const exit = gateway.stop();
  await refuses(gateway);

  kept.received = '';
  kept.send(ready);
  assert.match(await kept.all(), /^HTTP\/1\.1 503 [\s\S]*retry-after: 2[\s\S]*"code":"unavailable"/i);
  busy.send(`GET /v1/models HTTP/1.1\r\nHost: ${busy.host}\r\n\r\n`);
  assert.match(await busy.all(), /HTTP\/1\.1 503 [\s\S]*"error":\{"message":"This gateway is being stopped/);

  for (const res of endless.slice(0, 60)) res.end('data: last\n\n');
  await eventually(() => streams.filter(stream => stream.ended === 'whole').length === 60);
  assert.ok(streams.every(stream => stream.ended !== 'cut'));
  assert.equal(await exit, 0);
  const took = performance.now() - started;
  assert.ok(took >= 2_900 && took < 6_000, `${took} ms`);
  await eventually(() => streams.every(stream => stream.ended !== null));
  const whole = streams.filter(stream => stream.ended === 'whole');
  assert.equal(whole.length, 60);
  assert.ok(whole.every(stream => stream.text === 'data: first\n\ndata: last\n\n'));
  assert.doesNotMatch(gateway.output(), /"level":50/);
});

test('with nothing open it ends at once, however many connections are kept', async t => {
  const { gateway } = await streaming(t, {});
  const kept = await dial(gateway);
  kept.send(`GET /healthz HTTP/1.1\r\nHost: ${kept.host}\r\n\r\n`);
  await kept.until(/"ok"/);
  const started = performance.now();
  assert.equal(await gateway.stop(), 0);
  assert.ok(performance.now() - started < 2_000);
});

test('a second signal, of either kind, ends it at once', async t => {
  const { gateway } = await streaming(t, {});
  await open(gateway);
  gateway.process.kill('SIGTERM');
  await refuses(gateway);
  const exit = once(gateway.process, 'exit');
  gateway.process.kill('SIGINT');
  assert.deepEqual(await exit, [null, 'SIGINT']);
});
