import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { skip, startCaddy } from './fixtures/caddy.ts';
import { adapted, snippet } from './fixtures/docs.ts';
import { startGateway } from './fixtures/gateway.ts';
import { freePort } from './fixtures/ports.ts';
import { startUpstream } from './fixtures/upstream.ts';

test('behind Caddy as documented, events arrive as they are sent, and a client that goes is gone for the upstream', {
  skip,
}, async t => {
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const sent = Promise.withResolvers<(text: string) => void>();
  const gone = Promise.withResolvers<void>();
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.on('close', () => gone.resolve());
    sent.resolve(text => void res.write(text));
    return true;
  };
  const port = await freePort();
  const gateway = await startGateway(t, {
    config: {
      publicUrl: `http://localhost:${port}`,
      authRequired: false,
      upstreams: [{ id: 'up', kind: 'http', url: upstream.url, access: { everyone: true } }],
    },
  });
  const caddyfile = adapted(snippet('deploy.md', 'caddyfile gateway'), {
    'gateway.example': `http://localhost:${port}`,
    '127.0.0.1:8080': `127.0.0.1:${gateway.port}`,
  });
  await startCaddy(t, { caddyfile, port });
  const req = get(`http://localhost:${port}/u/up/events`, {
    agent: false,
    signal: AbortSignal.timeout(20_000),
  });
  const response = once(req, 'response');
  const write = await sent.promise;
  write('data: 1\n\n');
  const [res] = (await response) as [IncomingMessage];
  res.on('error', () => {});
  for (const n of [1, 2, 3]) {
    if (n > 1) write(`data: ${n}\n\n`);
    assert.equal(String((await once(res, 'data'))[0]), `data: ${n}\n\n`);
  }
  res.destroy();
  await gone.promise;
});
