import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { createBrowser } from './fixtures/browser.ts';
import { startDataPlane } from './fixtures/data-plane.ts';
import { providerConfig, startGateway } from './fixtures/gateway.ts';
import { startProvider } from './fixtures/provider.ts';

const seen: string[] = [];
const routes: FastifyPluginAsyncZod = async app => {
  app.get('/login', { config: { policy: 'public', rate: 'sign-in' } }, async request => {
    seen.push(request.ip);
    return { ok: true };
  });
  app.get('/make', { config: { policy: 'signed-in', rate: 'key' } }, async () => ({ ok: true }));
};

const rate = (burst: number) => ({ burst, per: burst * 10_000 });

/** Statuses of requests one after the other. */
async function statuses(count: number, ask: () => Promise<Response>): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < count; n++) all.push((await ask()).status);
  return all;
}

test('a route that is limited by address says when to come back, and then lets in', async t => {
  let now = 0;
  const { url } = await startDataPlane(t, {
    upstreams: [],
    plugins: [routes],
    rates: { 'sign-in': { address: rate(2), principal: null } },
    now: () => now,
  });
  const ask = () => fetch(`${url}/login`);
  assert.deepEqual(await statuses(2, ask), [200, 200]);
  const refused = await ask();
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '10']);
  assert.equal(((await refused.json()) as { code: string }).code, 'rate_limited');
  now += 10_000;
  assert.deepEqual(await statuses(2, ask), [200, 429]);
});

test('one user is limited, whatever they show, and others at the same address are not', async t => {
  const { url } = await startDataPlane(t, {
    upstreams: [],
    plugins: [routes],
    rates: { key: { address: rate(20), principal: rate(2) } },
    now: () => 0,
  });
  const ask = (headers: Record<string, string>) => () => fetch(`${url}/make`, { headers });
  assert.deepEqual(await statuses(1, ask({ authorization: 'Bearer alice' })), [200]);
  assert.deepEqual(await statuses(2, ask({ cookie: 'session=alice' })), [200, 429]);
  assert.deepEqual(await statuses(1, ask({ authorization: 'Bearer bob' })), [200]);
  // Nobody's requests count by address only, and do so before they are looked at.
  assert.deepEqual(new Set(await statuses(16, ask({}))), new Set([401]));
  assert.deepEqual(await statuses(1, ask({ authorization: 'Bearer carol' })), [429]);
});

test('an address in X-Forwarded-For counts behind a trusted proxy, and is a client’s own word elsewhere', async t => {
  for (const [trustedProxies, expected] of [
    [['127.0.0.0/8'], [200, 200, 200]],
    [[], [200, 429, 429]],
  ] as const) {
    const { url } = await startDataPlane(t, {
      upstreams: [],
      plugins: [routes],
      rates: { 'sign-in': { address: rate(1), principal: null } },
      trustedProxies,
      now: () => 0,
    });
    seen.length = 0;
    let n = 0;
    const changing = () =>
      fetch(`${url}/login`, { headers: { 'x-forwarded-for': `6.6.6.6, 203.0.113.${++n}` } });
    assert.deepEqual(await statuses(3, changing), expected);
    assert.equal(seen[0], trustedProxies.length > 0 ? '203.0.113.1' : '127.0.0.1');
    // What stands left of the proxy's own entry buys no further try.
    const written = () =>
      fetch(`${url}/login`, { headers: { 'x-forwarded-for': `${++n}.0.0.1, 203.0.113.1` } });
    assert.deepEqual(await statuses(1, written), [429]);
  }
});

test('sign-in, token, key routes and bad credentials of a whole gateway are limited as configured', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const gateway = await startGateway(t, {
    config: {
      providers: [providerConfig(provider)],
      rateLimits: {
        signIn: { address: '4/1h' },
        token: { principal: '1/1h' },
        key: { principal: '2/1h' },
        proof: { address: '3/1h' },
      },
    },
  });
  const made = await gateway.command('keys', 'create', '--user', 'you@corp.example', '--admin');
  const authorization = `Bearer ${made.stdout.trim()}`;
  const post = (path: string, body: object) => () =>
    fetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  assert.deepEqual(await statuses(3, post('/api/v1/keys', { name: 'x' })), [201, 201, 429]);
  assert.deepEqual(await statuses(2, post('/api/v1/token', { service: 'none' })), [404, 429]);

  const browser = createBrowser();
  await provider.signIn(browser, `${gateway.url}/auth/corp/login`);
  const login = () =>
    fetch(`${gateway.url}/auth/corp/login`, { redirect: 'manual', headers: { accept: 'text/html' } });
  assert.deepEqual(await statuses(3, login), [303, 303, 429]);
  const page = await login();
  assert.match(page.headers.get('content-type')!, /text\/html/);
  assert.ok(Number(page.headers.get('retry-after')) > 0);

  // A stale cookie, an invented key, a token of nobody: all are guesses.
  const show = (headers: Record<string, string>) => () => fetch(`${gateway.url}/v1/models`, { headers });
  const invented = { authorization: `Bearer sp_${'A'.repeat(43)}` };
  assert.deepEqual(await statuses(1, show({ cookie: `oauth_session_id=${'A'.repeat(43)}` })), [401]);
  assert.deepEqual(await statuses(2, show(invented)), [401, 401]);
  const refused = await show(invented)();
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(((await refused.json()) as { error: { code: string } }).error.code, 'rate_limited');
  assert.deepEqual(await statuses(2, show({ authorization })), [200, 200], 'who is known goes on');
});
