import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type DataPlane, eventually, startDataPlane, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

const routes: FastifyPluginAsyncZod = async app => {
  app.post(
    '/api/v1/echo',
    { config: { policy: 'public' }, schema: { body: z.object({ text: z.string() }) } },
    async request => request.body,
  );
  app.get('/api/v1/never', { config: { policy: 'public' } }, () => new Promise(() => {}));
};

async function edge(t: TestContext, options: Partial<Parameters<typeof startDataPlane>[1]> = {}) {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, {
    upstreams: [upstream('up', real.url, { kind: 'http' }), upstream('llm', real.url)],
    plugins: [routes],
    ...options,
  });
  return { ...plane, real };
}

const head = (plane: DataPlane, path: string, ...headers: string[]) =>
  [
    `POST ${path} HTTP/1.1`,
    `Host: ${plane.host}`,
    'Authorization: Bearer alice',
    'Content-Type: application/json',
    ...headers,
    '',
    '',
  ].join('\r\n');

/** Every path that reads a body in its own way, and the shape that it speaks. */
const READERS = [
  ['/api/v1/echo', 'problem'],
  ['/u/up/x', 'problem'],
  ['/v1/chat/completions', 'openai'],
] as const;

function assertShape(answer: string, status: string, code: string, shape: 'problem' | 'openai'): void {
  assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
  assert.match(answer, /^connection: close\r$/im);
  const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as {
    code?: string;
    error?: { code: string };
  };
  assert.equal(shape === 'problem' ? body.code : body.error?.code, code);
}

test('a head that trickles in is cut off, and says why', async t => {
  const plane = await edge(t, { limits: { headersTimeout: 80 } });
  const client = await plane.dial();
  client.send(`GET / HTTP/1.1\r\nHost: ${plane.host}\r\n`);
  const trickle = setInterval(() => client.send('X-a: b\r\n'), 20);
  t.after(() => clearInterval(trickle));
  assertShape(await client.all(), '408', 'request_timeout', 'problem');
});

test('a giant header, and ten thousand small ones, are 431 and reach nobody', async t => {
  const plane = await edge(t);
  const giant = await plane.raw(
    `GET /u/up/x HTTP/1.1`,
    `Host: ${plane.host}`,
    `X: ${'a'.repeat(100_000)}`,
    '',
  );
  assertShape(giant, '431', 'headers_too_large', 'problem');
  const many = (count: number) => Array.from({ length: count }, (_, n) => `x${n}:`);
  assertShape(
    await plane.raw('GET /u/up/x HTTP/1.1', `Host: ${plane.host}`, ...many(10_000), ''),
    '431',
    'headers_too_large',
    'problem',
  );
  // Within the bytes, past the number; in the shape of its path.
  const openai = await plane.raw('GET /v1/models HTTP/1.1', `Host: ${plane.host}`, ...many(5_000), '');
  assertShape(openai, '431', 'headers_too_large', 'openai');
  assert.equal(plane.real.requests.length, 0);
});

for (const [path, shape] of READERS) {
  test(`a body of a byte now and then is cut off at ${path}`, async t => {
    const plane = await edge(t, { limits: { bodyWindow: 100, bodyBytes: 50 } });
    for (const framing of ['Content-Length: 100000', 'Transfer-Encoding: chunked']) {
      const client = await plane.dial();
      client.send(head(plane, path, framing));
      const byte = framing.startsWith('T') ? '1\r\n \r\n' : ' ';
      const trickle = setInterval(() => client.send(byte), 30);
      t.after(() => clearInterval(trickle));
      assertShape(await client.all(), '408', 'request_timeout', shape);
      clearInterval(trickle);
    }
    await eventually(() => plane.real.busy === 0);
  });
}

test('a body that is never sent holds no connection, also when its request was refused', async t => {
  const plane = await edge(t, { limits: { bodyWindow: 60, bodyBytes: 10 } });
  for (const path of ['/u/up/x', '/api/v1/echo', '/api/v1/nothing', '/v1/../x']) {
    const client = await plane.dial();
    client.send(head(plane, path, 'Content-Length: 100000').replace('alice', 'alice-x!'));
    assert.match(await client.all(), /^HTTP\/1\.1 4\d\d /, path);
  }
});

test('an upload goes on for as long as it moves, however slowly the upstream takes it', async t => {
  const plane = await edge(t, { limits: { bodyWindow: 60, bodyBytes: 20 } });
  const sending = request(`${plane.url}/u/up/x`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice' },
  });
  const answered = once(sending, 'response');
  for (let n = 0; n < 15; n++) {
    sending.write('x'.repeat(100));
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  sending.end();
  const [res] = await answered;
  res.resume();
  assert.equal(res.statusCode, 200);
  assert.equal(plane.real.requests[0]!.bodyBytes, 1_500);

  // An upstream that does not read for several windows: that is not the client's slowness.
  let take!: () => void;
  plane.real.intercept = (req, res) => {
    req.pause();
    take = () => req.resume().on('end', () => res.end('taken'));
    return true;
  };
  const large = request(`${plane.url}/u/up/y`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice' },
  });
  const heard = once(large, 'response');
  large.end(Buffer.alloc(64 * 1024 * 1024));
  await eventually(() => plane.real.busy === 1);
  await new Promise(resolve => setTimeout(resolve, 300));
  take();
  const [taken] = await heard;
  taken.resume();
  assert.equal(taken.statusCode, 200);
});

test('a body larger than its upstream takes is 413, by its own word before anything is sent, or as it comes', async t => {
  const real = await startUpstream();
  t.after(() => real.close());
  const small = { maxBody: 200_000 };
  const plane = await startDataPlane(t, {
    upstreams: [upstream('up', real.url, { kind: 'http', ...small }), upstream('llm', real.url, small)],
  });
  const send = (path: string, bytes: number, streamed: boolean) => {
    const text = `{"model":"x","pad":"${'a'.repeat(bytes - 22)}"}`;
    return fetch(`${plane.url}${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer alice', 'content-type': 'application/json' },
      ...(streamed ? { body: new Blob([text]).stream(), duplex: 'half' } : { body: text }),
    });
  };
  for (const path of ['/u/up/x', '/v1/chat/completions']) {
    for (const streamed of [false, true]) {
      assert.equal((await send(path, 200_000, streamed)).status, 200, `${path} ${streamed}`);
      const before = real.requests.length;
      const refused = await send(path, 200_001, streamed);
      assert.equal(refused.status, 413, `${path} ${streamed}`);
      const body = (await refused.json()) as { code?: string; error?: { code: string } };
      assert.equal(body.code ?? body.error?.code, 'body_too_large');
      if (!streamed) assert.equal(real.requests.length, before, 'nothing was sent');
    }
  }
});

test('one address has so many connections and no more, until one ends', async t => {
  const plane = await edge(t, { limits: { socketsPerAddress: 5 } });
  const clients = await Promise.all(Array.from({ length: 5 }, () => plane.dial()));
  const get = `GET /healthz HTTP/1.1\r\nHost: ${plane.host}\r\n\r\n`;
  for (const client of clients) client.send(get);
  for (const client of clients) await client.until(/200 OK/);
  for (let n = 0; n < 20; n++) {
    const refused = await plane.dial();
    refused.send(get);
    const answer = await refused.all();
    assertShape(answer, '503', 'unavailable', 'problem');
    assert.match(answer, /^retry-after: \d+\r$/im);
  }
  assert.equal(plane.log().match(/too many connections/g)?.length, 1, 'the log is not flooded');
  clients[0]!.socket.destroy();
  await eventually(() => clients[0]!.socket.destroyed);
  for (let tries = 0; ; tries++) {
    const next = await plane.dial();
    next.send(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    if ((await next.all()).startsWith('HTTP/1.1 200')) break;
    assert.ok(tries < 50);
  }
});

test('an answer of the API that does not come is 503, and the connection serves on', async t => {
  const plane = await edge(t, { apiTimeout: 60 });
  const late = await fetch(`${plane.url}/api/v1/never`);
  assert.deepEqual([late.status, late.headers.get('retry-after')], [503, '10']);
  assert.equal(((await late.json()) as { code: string }).code, 'unavailable');
});
