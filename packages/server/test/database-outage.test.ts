import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { createAudit } from '../src/audit/audit.ts';
import { createAuditStore } from '../src/audit/audit-store.ts';
import { createBus } from '../src/platform/bus.ts';
import { openDatabase } from '../src/platform/db/db.ts';
import { migrate } from '../src/platform/db/migrate.ts';
import { createLog } from '../src/platform/log.ts';
import { createMetrics } from '../src/platform/metrics.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import { createBrowser } from './fixtures/browser.ts';
import { eventually } from './fixtures/data-plane.ts';
import { providerConfig, startGateway } from './fixtures/gateway.ts';
import { ownCluster } from './fixtures/postgres.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** Asks until the answer is wanted; every answer on the way goes through `look`. */
async function until(
  ask: () => Promise<Response>,
  wanted: number,
  look: (res: Response) => void = () => {},
): Promise<Response> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const res = await ask();
    if (res.status === wanted) return res;
    look(res);
    await res.body?.cancel();
    if (performance.now() > deadline) throw new Error(`not ${wanted}, but ${res.status}`);
  }
}

test('PostgreSQL killed and started again under load: what is warm goes on, the rest is told to come back, and all heals', async t => {
  const cluster = await ownCluster(t);
  if (cluster === null) return;
  const provider = await startProvider();
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  let stream: ServerResponse | null = null;
  upstream.intercept = (req, res) => {
    if (!req.url!.startsWith('/stream')) return false;
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: first\n\n');
    stream = res;
    return true;
  };
  const gateway = await startGateway(t, {
    store: cluster.url,
    config: {
      providers: [providerConfig(provider)],
      upstreams: [
        {
          id: 'tools',
          kind: 'http',
          url: upstream.url,
          credential: { use: 'sign-in' },
          access: { everyone: true },
        },
      ],
    },
  });
  const browser = createBrowser();
  await provider.signIn(browser, `${gateway.url}/auth/corp/login`);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;
  const made = await gateway.command('keys', 'create', '--user', 'cold@corp.example');
  const authorization = `Bearer ${made.stdout.trim()}`;
  const warm = () => fetch(`${gateway.url}/u/tools/x`, { headers: { cookie } });
  const cold = (path: string) => fetch(`${gateway.url}${path}`, { headers: { authorization } });
  const ready = () => fetch(`${gateway.url}/readyz`);

  const [reading] = (await once(
    get(`${gateway.url}/u/tools/stream`, { headers: { cookie } }),
    'response',
  )) as [IncomingMessage];
  let text = '';
  reading.setEncoding('utf8').on('data', chunk => (text += chunk));
  assert.equal((await warm()).status, 200);

  // Load of both kinds from here to the end; nothing but an answer or a request to come back is an answer.
  const seen = new Map<number, number>();
  let over = false;
  const load = Array.from({ length: 6 }, async (_, n) => {
    while (!over) {
      const res = n % 2 === 0 ? await warm() : await cold('/api/v1/me');
      seen.set(res.status, (seen.get(res.status) ?? 0) + 1);
      if (res.status === 503) assert.ok(Number(res.headers.get('retry-after')) > 0);
      await res.body?.cancel();
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  });

  await warm();
  await cluster.kill();
  assert.equal((await warm()).status, 200, 'a session and a token that were looked at within 5 s');
  const notReady = await ready();
  assert.equal(notReady.status, 503);
  assert.match(((await notReady.json()) as { detail: string }).detail, /database/);
  assert.equal((await fetch(`${gateway.url}/healthz`)).status, 200);

  // No credential outlives the 5 s in which a revocation must take effect.
  const since = performance.now();
  const refused = await until(warm, 503, res => assert.equal(res.status, 200));
  assert.ok(performance.now() - since < 7_000);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(((await refused.json()) as { code: string }).code, 'unavailable');
  const inOpenai = await until(() => cold('/v1/models'), 503);
  assert.ok(Number(inOpenai.headers.get('retry-after')) > 0);
  assert.equal(((await inOpenai.json()) as { error: { code: string } }).error.code, 'unavailable');
  assert.equal((await fetch(`${gateway.url}/auth/corp/login`, { redirect: 'manual' })).status, 503);

  await cluster.start();
  await until(ready, 200);
  await until(warm, 200);
  await until(() => cold('/api/v1/me'), 200);
  over = true;
  await Promise.all(load);
  assert.deepEqual([...seen.keys()].sort(), [200, 503]);

  stream!.end('data: last\n\n');
  await eventually(() => reading.complete);
  assert.equal(text, 'data: first\n\ndata: last\n\n', 'a stream does not notice');
  assert.doesNotMatch(gateway.output(), /unhandled|"level":60|"error":"internal"/i);
  assert.equal(await gateway.stop(), 0);
});

test('what nobody has to be looked up for goes on for as long as the database is away', async t => {
  const cluster = await ownCluster(t);
  if (cluster === null) return;
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const gateway = await startGateway(t, {
    store: cluster.url,
    config: {
      authRequired: false,
      upstreams: [{ id: 'open', kind: 'http', url: upstream.url, access: { everyone: true } }],
    },
  });
  await cluster.kill();
  const calls = Array.from({ length: 20 }, () => fetch(`${gateway.url}/u/open/x`));
  assert.deepEqual(new Set((await Promise.all(calls)).map(res => res.status)), new Set([200]));
  // Told to end, it does not wait for a database that is not there.
  assert.equal(await gateway.stop(), 0);
});

test('audit events of an outage are stored after it', async t => {
  const cluster = await ownCluster(t);
  if (cluster === null) return;
  await using database = openDatabase({ dialect: 'postgres', url: cluster.url }, systemRuntime);
  await migrate(database);
  const lines: string[] = [];
  const log = createLog({ level: 'warn', destination: { write: line => void lines.push(line) } });
  const store = createAuditStore(database.db);
  await using audit = createAudit({
    store,
    bus: createBus(),
    metrics: createMetrics(),
    runtime: systemRuntime,
    log,
  });
  await cluster.kill();
  for (const target of ['a', 'b', 'c'])
    audit.record({ action: 'key.create', userId: null, credentialId: null, address: null, target });
  await eventually(() => lines.some(line => line.includes('audit events wait')));
  await cluster.start();
  await audit.flush();
  const stored = await store.list({ limit: 10 });
  assert.deepEqual(stored.map(event => event.target).sort(), ['a', 'b', 'c']);
});

test('started before its database, it waits, and serves when the database is there', async t => {
  const cluster = await ownCluster(t);
  if (cluster === null) return;
  await cluster.kill();
  const starting = startGateway(t, { store: cluster.url });
  await cluster.start();
  const gateway = await starting;
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);

  // Told to end while it waits, it ends well.
  await gateway.stop();
  await cluster.kill();
  const before = gateway.output().length;
  const waiting = assert.rejects(gateway.restart(), /ended with 0 before it was ready/);
  await eventually(() => gateway.output().slice(before).includes('does not answer yet'));
  assert.equal(await gateway.stop(), 0);
  await waiting;
});

test('a database that stays away, or will not have us, is said in a sentence without a secret', async t => {
  const cluster = await ownCluster(t);
  if (cluster === null) return;
  const away = 'postgres://user:hunter2hunter2@127.0.0.1:1/none';
  for (const [store, expected] of [
    [away, /^PostgreSQL at 127\.0\.0\.1:1 does not answer \(ECONNREFUSED\)\. See that it runs/m],
    [cluster.url.replace(/\/postgres$/, '/none'), /has no database of this name \(3D000\)/],
  ] as const) {
    await assert.rejects(startGateway(t, { store, config: { storeWait: '600ms' } }), (error: Error) => {
      assert.match(error.message, /^the gateway ended with 1 /);
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /hunter2|by a fault of its own|\n {4}at /);
      return true;
    });
  }
});
