import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { createApi } from '../src/http/api.ts';
import { AppError } from '../src/platform/errors.ts';
import { createLog } from '../src/platform/log.ts';
import { type DataPlane, eventually, principal, startDataPlane, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** A few routes as a room would write them. */
const routes: FastifyPluginAsyncZod = async app => {
  app.get('/api/v1/open', { config: { policy: 'public' } }, async () => ({ ok: true }));
  app.get('/api/v1/mine', { config: { policy: 'signed-in' } }, async request => ({
    who: request.principal.userId,
  }));
  app.post(
    '/api/v1/mine',
    { config: { policy: 'signed-in' }, schema: { body: z.object({ n: z.number() }) } },
    async request => request.body,
  );
  app.get('/api/v1/all', { config: { policy: 'admin' } }, async () => ({ ok: true }));
  app.get('/api/v1/thing/:id', { config: { policy: 'public' } }, async request => request.params);
  app.get('/api/v1/gone', { config: { policy: 'public' } }, async () => {
    throw new AppError('gone', 'It ended.', {
      headers: { 'set-cookie': 'a=; Max-Age=0', 'retry-after': '5' },
      action: 'http://x/',
    });
  });
  app.get('/api/v1/bug', { config: { policy: 'public' } }, async () => {
    throw new Error('a detail that is nobody’s business');
  });
};

async function edge(t: TestContext, options: Partial<Parameters<typeof startDataPlane>[1]> = {}) {
  const real = await startUpstream();
  t.after(() => real.close());
  const plane = await startDataPlane(t, {
    upstreams: [upstream('up', real.url, { kind: 'http' })],
    plugins: [routes],
    ...options,
  });
  return { ...plane, real };
}

const problemOf = async (res: Response) => {
  assert.equal(res.headers.get('content-type')?.split(';')[0], 'application/problem+json');
  assert.equal(res.headers.get('cache-control'), 'no-store');
  assert.match(res.headers.get('x-request-id')!, /^[\w-]{8}-\w+$/);
  const body = (await res.json()) as {
    type: string;
    status: number;
    code: string;
    detail: string;
    action?: string;
  };
  assert.equal(body.status, res.status);
  assert.equal(body.type, `urn:sallyport:${body.code}`);
  return body;
};

const first = (plane: DataPlane, path: string, ...headers: string[]) =>
  plane.raw(`GET ${path} HTTP/1.1`, ...headers, 'Connection: close', '').then(answer => answer.split(' ')[1]);

test('a Host that is not ours is 421, on every path but the probes', async t => {
  const plane = await edge(t);
  for (const path of ['/', '/api/v1/open', '/v1/models', '/u/up/x']) {
    for (const host of [
      'evil.example',
      `evil.example:${plane.port}`,
      `127.0.0.1.evil.example:${plane.port}`,
      '127.0.0.1:1',
      'localhost.:8080',
      '',
    ])
      assert.equal(
        await first(plane, path, `Host: ${host}`, 'Authorization: Bearer alice'),
        '421',
        `${path} ${host}`,
      );
  }
  for (const host of [
    `127.0.0.1:${plane.port}`,
    `LOCALHOST:${plane.port}`,
    `[::1]:${plane.port}`,
    'localhost:8080',
  ])
    assert.equal(await first(plane, '/api/v1/open', `Host: ${host}`), '200', host);
  assert.equal(await first(plane, '/healthz', 'Host: 10.0.0.7:8080'), '200');
  assert.equal(plane.real.requests.length, 0);
});

test('a refusal at the edge is in the shape that its path speaks', async t => {
  const plane = await edge(t);
  for (const [path, shape] of [
    ['/v1/chat/completions', '"error":{"message":"This gateway does not answer'],
    ['/u/up/x', '"type":"urn:sallyport:misdirected"'],
    ['/api/v1/open', '"type":"urn:sallyport:misdirected"'],
  ] as const) {
    const answer = await plane.raw(`GET ${path} HTTP/1.1`, 'Host: evil.example', 'Connection: close', '');
    assert.match(answer, /^HTTP\/1\.1 421 /, path);
    assert.ok(answer.includes(shape), answer);
  }
});

test('behind a public name only that name is answered, with its port or without', async t => {
  const plane = await edge(t, { publicUrl: new URL('https://gate.example') });
  for (const host of ['gate.example', 'GATE.example', 'gate.example:443'])
    assert.equal(await first(plane, '/api/v1/open', `Host: ${host}`), '200', host);
  for (const host of ['gate.example:80', 'localhost', `127.0.0.1:${plane.port}`])
    assert.equal(await first(plane, '/api/v1/open', `Host: ${host}`), '421', host);
});

test('an act that another site asked a session for is refused, on the data plane and the API alike', async t => {
  const { url, real } = await edge(t);
  const act = (path: string, headers: Record<string, string>) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json', ...headers },
    });
  const cookie = 'session=alice';
  for (const path of ['/u/up/x', '/api/v1/mine']) {
    for (const from of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://localhost:9999' },
      { origin: 'http://localhost:8080', 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[]) {
      const res = await act(path, { cookie, ...from });
      assert.equal(res.status, 403, `${path} ${JSON.stringify(from)}`);
      assert.equal((await problemOf(res)).code, 'csrf');
    }
    for (const from of [
      {},
      { origin: 'http://localhost:8080' },
      { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:1' },
    ] as Record<string, string>[])
      assert.equal((await act(path, { cookie, ...from })).status, 200, `${path} ${JSON.stringify(from)}`);
    assert.equal(
      (await act(path, { authorization: 'Bearer alice', origin: 'https://evil.example' })).status,
      200,
      'a key is no ambient proof',
    );
  }
  assert.equal(real.requests.length, 4);
});

test('a route without a policy does not build', async () => {
  const about = {
    authenticate: () => principal('alice'),
    mayReadMetrics: () => false,
    addressOf: () => '127.0.0.1',
    throttle: { byAddress() {}, byPrincipal() {} },
    log: createLog({ level: 'silent' }),
    requestId: () => 'req_1',
  };
  const careless: FastifyPluginAsyncZod = async app => {
    app.get('/api/v1/careless', async () => 'everybody');
  };
  await assert.rejects(createApi({ ...about, plugins: [careless] }), /\/api\/v1\/careless has no policy/);
});

test('a policy is kept: nobody, a user, an admin', async t => {
  const { url } = await edge(t);
  const ask = (path: string, who?: string) =>
    fetch(`${url}/api/v1/${path}`, { headers: who ? { authorization: `Bearer ${who}` } : {} });
  const statuses = async (path: string) => [
    (await ask(path)).status,
    (await ask(path, 'alice')).status,
    (await ask(path, 'admin')).status,
  ];
  assert.deepEqual(await statuses('open'), [200, 200, 200]);
  assert.deepEqual(await statuses('mine'), [401, 200, 200]);
  assert.deepEqual(await statuses('all'), [401, 403, 200]);
  assert.deepEqual(await (await ask('mine', 'alice')).json(), { who: 'alice' });
});

test('errors are problem details, with the headers and the action that belong to them', async t => {
  const { url, log } = await edge(t);
  const gone = await fetch(`${url}/api/v1/gone`);
  assert.deepEqual(
    [gone.status, gone.headers.get('set-cookie'), gone.headers.get('retry-after')],
    [410, 'a=; Max-Age=0', '5'],
  );
  assert.deepEqual(await problemOf(gone), {
    type: 'urn:sallyport:gone',
    title: 'Gone',
    status: 410,
    detail: 'It ended.',
    code: 'gone',
    action: 'http://x/',
  });
  const bug = await fetch(`${url}/api/v1/bug`);
  assert.doesNotMatch((await problemOf(bug)).detail, /business/);
  assert.match(log(), /"error":"internal"[\s\S]*business/);
  for (const path of ['/api/v1/nothing', '/nothing', '/v1x', '/ux', '/u/nobody/x'])
    assert.equal(
      (await problemOf(await fetch(`${url}${path}`, { headers: { authorization: 'Bearer alice' } }))).code,
      'not_found',
      path,
    );
  assert.equal((await problemOf(await fetch(`${url}/api/v1/thing/%zz`))).status, 400);
  const post = (body: string, type = 'application/json') =>
    fetch(`${url}/api/v1/mine`, {
      method: 'POST',
      body,
      headers: { authorization: 'Bearer alice', 'content-type': type },
    });
  assert.match((await problemOf(await post('{"n":"x"}'))).detail, /^n: /);
  assert.equal((await problemOf(await post('{'))).code, 'bad_request');
  assert.equal((await problemOf(await post('x', 'text/csv'))).code, 'bad_request');
  assert.equal((await problemOf(await post(`{"n":1,"x":"${'a'.repeat(300_000)}"}`))).code, 'body_too_large');
});

test('a refusal of identity keeps its headers on the data plane, in either shape', async t => {
  const { url } = await edge(t);
  for (const path of ['/v1/chat/completions', '/v1/models', '/u/up/x', '/u/whoami/x']) {
    const res = await fetch(`${url}${path}`, { headers: { cookie: 'session=stale' } });
    assert.deepEqual(
      [res.status, res.headers.get('www-authenticate'), res.headers.get('set-cookie')],
      [401, 'Bearer', 'session=; Max-Age=0'],
      path,
    );
    const body = (await res.json()) as { code?: string; error?: { code: string; type: string } };
    if (path.startsWith('/v1'))
      assert.deepEqual([body.error!.code, body.error!.type], ['unauthenticated', 'authentication_error']);
    else assert.equal(body.code, 'unauthenticated');
  }
});

test('a WebSocket upgrade is 426, a CONNECT 405, an offer of h2c is passed over, and a reset right after harms nobody', async t => {
  const plane = await edge(t);
  const upgrade = (to: string) =>
    plane.raw(
      'GET /api/v1/open HTTP/1.1',
      `Host: ${plane.host}`,
      `Connection: Upgrade, close`,
      `Upgrade: ${to}`,
      '',
    );
  assert.match(await upgrade('websocket'), /^HTTP\/1\.1 426 /);
  assert.match(await upgrade('h2c'), /^HTTP\/1\.1 200 /);
  assert.match(
    await plane.raw('CONNECT evil.example:443 HTTP/1.1', 'Host: evil.example:443', ''),
    /^HTTP\/1\.1 405 /,
  );
  for (let n = 0; n < 20; n++) {
    const client = await plane.dial();
    client.send(`GET / HTTP/1.1\r\nHost: ${plane.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    client.socket.resetAndDestroy();
  }
  assert.equal((await fetch(`${plane.url}/healthz`)).status, 200);
});

test('a head that does not end in time is cut off', async t => {
  const plane = await edge(t, { limits: { headersTimeout: 60 } });
  const client = await plane.dial();
  client.send(`GET / HTTP/1.1\r\nHost: ${plane.host}\r\nX-Slow: `);
  assert.match(await client.all(), /^HTTP\/1\.1 408 /);
});

test('a head past the limit is 431', async t => {
  const plane = await edge(t, { limits: { headerBytes: 2_000 } });
  assert.equal(await first(plane, '/healthz', `Host: ${plane.host}`, `X: ${'a'.repeat(3_000)}`), '431');
});

test('a connection that both sides leave silent is ended', async t => {
  const plane = await edge(t, { limits: { silence: 60 } });
  plane.real.intercept = () => true;
  const client = await plane.dial();
  client.send(`GET /u/up/x HTTP/1.1\r\nHost: ${plane.host}\r\nAuthorization: Bearer alice\r\n\r\n`);
  assert.equal(await client.all(), '');
  await eventually(() => plane.real.busy === 0);
});

test('a kept connection serves on after an answer, a refusal and an aborted neighbour', async t => {
  const { url, real } = await edge(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ports = new Set<number>();
  const ask = async (path: string, method = 'GET', body = '') => {
    const req = request(`${url}${path}`, { agent, method, headers: { authorization: 'Bearer alice' } }).end(
      body,
    );
    const [res] = await once(req, 'response');
    ports.add(req.socket!.localPort!);
    res.resume();
    await once(res, 'end');
    return res.statusCode as number;
  };
  assert.deepEqual(
    [
      await ask('/u/up/a'),
      await ask('/u/nobody/a', 'POST', 'x'.repeat(100_000)),
      await ask('/v1/../x'),
      await ask('/api/v1/mine'),
      await ask('/u/up/b', 'POST', 'hi'),
    ],
    [200, 404, 404, 200, 200],
  );
  assert.equal(ports.size, 1);
  real.intercept = req => req.url === '/hang';
  const hanging = get(`${url}/u/up/hang`, { headers: { authorization: 'Bearer alice' } });
  hanging.on('error', () => {});
  await eventually(() => real.busy === 1);
  hanging.destroy();
  await eventually(() => real.busy === 0);
  assert.equal(await ask('/u/up/c'), 200);
});

test('told to end, it lets an open answer finish and closes its connection', async t => {
  const { url, real, server } = await edge(t, { limits: { drain: 10_000 } });
  let finish!: () => void;
  real.intercept = (_req, res) => {
    res.write('first ');
    finish = () => res.end('last');
    return true;
  };
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const [res] = await once(
    get(`${url}/u/up/x`, { agent, headers: { authorization: 'Bearer alice' } }),
    'response',
  );
  const ending = server[Symbol.asyncDispose]();
  await assert.rejects(fetch(`${url}/healthz`));
  finish();
  let text = '';
  for await (const chunk of res) text += chunk;
  assert.equal(text, 'first last');
  const start = performance.now();
  await ending;
  assert.ok(performance.now() - start < 2_000, 'the kept connection is not waited for');
});
