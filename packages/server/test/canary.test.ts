import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { createBrowser } from './fixtures/browser.ts';
import { type Gateway, providerConfig, startGateway } from './fixtures/gateway.ts';
import { postgresUrl } from './fixtures/postgres.ts';
import { startProvider, type TestProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const COLLECTOR_KEY = 'canary-collector-key-7d3e1f9a';
const STATIC_KEY = 'canary-static-key-5f2a9c7e1b';
const JWT_SECRET = 'canary-shared-secret-of-32-bytes-or-more';

/** Remembers every token the provider hands out, by listening at its token endpoint. */
function collectTokens(provider: TestProvider): Set<string> {
  const seen = new Set<string>();
  provider.intercept = (req, res) => {
    if (req.url?.startsWith('/token')) {
      const end = res.end.bind(res) as (...args: unknown[]) => ServerResponse;
      res.end = ((...args: unknown[]) => {
        const text = String(args[0] ?? '');
        for (const [, value] of text.matchAll(/"(?:access|refresh|id)_token":"([^"]+)"/g)) seen.add(value!);
        return end(...args);
      }) as typeof res.end;
      req.on('data', chunk => {
        const form = new URLSearchParams(String(chunk));
        for (const name of ['code', 'code_verifier', 'refresh_token'])
          if (form.get(name)) seen.add(form.get(name)!);
      });
      // The provider reads the body itself; a paused listener must not have eaten it.
      req.pause();
    }
    return false;
  };
  return seen;
}

/** Keeps what a collector of traces is told. */
async function startCollector(t: TestContext): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = [];
  const server = createServer(async (req, res) => {
    assert.equal(req.headers.authorization, `Bearer ${COLLECTOR_KEY}`);
    for await (const chunk of req) bodies.push(String(chunk));
    res.end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

async function everyPath(t: TestContext, store: string | null) {
  const provider = await startProvider({ accessToken: 'jwt', groups: 300 });
  t.after(() => provider.close());
  const canaries = collectTokens(provider);
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  // What an upstream says back is its own affair: this one does not echo.
  upstream.intercept = (req, res) => {
    if (req.url!.startsWith('/v1/')) return false;
    res.end('fine');
    return true;
  };
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    ...(store ? { store } : {}),
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${COLLECTOR_KEY}`,
    },
    config: {
      logLevel: 'trace',
      jwtSecret: JWT_SECRET,
      providers: [providerConfig(provider, { responseMode: 'form_post' })],
      upstreams: [
        {
          id: 'llm',
          kind: 'openai',
          url: `${upstream.url}/v1`,
          models: ['*'],
          credential: { use: 'sign-in', fallback: { key: STATIC_KEY } },
          access: { everyone: true },
        },
        {
          id: 'tools',
          kind: 'http',
          url: upstream.url,
          credential: { use: 'sign-in' },
          access: { everyone: true },
        },
        {
          id: 'dead',
          kind: 'http',
          url: 'http://127.0.0.1:9',
          credential: { use: 'sign-in' },
          access: { everyone: true },
        },
      ],
    },
  });

  const responses: string[] = [];
  const browser = createBrowser();
  const page = await provider.signIn(browser, `${gateway.url}/auth/corp/login`);
  responses.push(page.text, ...page.trail.filter(url => !url.startsWith(provider.issuer)));
  const cookie = browser.cookie(gateway.url, 'oauth_session_id')!;
  canaries.add(cookie);
  const key = (
    await gateway.command('keys', 'create', '--user', 'alice@corp.example', '--admin')
  ).stdout.trim();
  canaries.add(key);

  const paths = [
    '/api/v1/me',
    '/api/v1/sessions',
    '/api/v1/keys',
    '/api/v1/grants',
    '/v1/models',
    '/u/tools/ok',
    '/u/dead/x',
    '/u/tools/..%2f',
    `/u/tools/?access_token=${key}`,
    '/auth/corp/callback?code=nonsense&state=nonsense',
    '/nowhere',
    '/metrics',
    '/api/v1/audit',
    '/api/v1/audit/export',
  ];
  for (const path of paths) {
    for (const headers of [
      { cookie: `oauth_session_id=${cookie}` },
      { authorization: `Bearer ${key}` },
      { authorization: `Bearer ${key}x` },
    ]) {
      const response = await fetch(gateway.url + path, {
        headers: headers as unknown as Record<string, string>,
      });
      responses.push(JSON.stringify([...response.headers]), await response.text());
    }
  }
  for (const body of ['{"model":"m","messages":[]}', '{"model":', '{"messages":[]}']) {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
    });
    responses.push(JSON.stringify([...response.headers]), await response.text());
  }
  canaries.add(STATIC_KEY).add(JWT_SECRET).add(COLLECTOR_KEY).add(provider.clientSecret);
  for (const command of [
    ['config', 'print'],
    ['config', 'check'],
    ['keys', 'list'],
    ['doctor'],
    ['secrets', 'rotate'],
  ]) {
    const { stdout, stderr } = await gateway.command(...command);
    responses.push(stdout, stderr);
  }
  assert.ok(canaries.size >= 6, `too few canaries: ${canaries.size}`);
  return { gateway, canaries, responses, cookie, told: collector.bodies };
}

/** The parts of a JWT count by themselves: a signature or a payload in a log is a leak too. */
function assertAbsent(canaries: Set<string>, where: string, text: string): void {
  for (const canary of canaries) {
    for (const part of [canary, ...canary.split('.').filter(part => part.length > 30)]) {
      // A JWT's header is the same for all and says nothing.
      if (part.startsWith('eyJhbGci') && part !== canary) continue;
      assert.ok(!text.includes(part), `${where} holds a canary of ${canary.length} characters`);
    }
  }
}

function assertNoLeak(gateway: Gateway, canaries: Set<string>, responses: readonly string[]): void {
  assertAbsent(canaries, 'what the gateway printed', gateway.output());
  for (const response of responses) assertAbsent(canaries, 'a response', response);
  for (const [name, bytes] of gateway.files()) {
    if (!name.endsWith('.yaml')) assertAbsent(canaries, name, bytes.toString('latin1'));
  }
}

test('canary tokens through every path are nowhere in plain: log, database, write-ahead log, responses, errors', async t => {
  const { gateway, canaries, responses, cookie, told } = await everyPath(t, null);
  assertNoLeak(gateway, canaries, responses);
  await fetch(`${gateway.url}/auth/logout`, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: `oauth_session_id=${cookie}`, origin: gateway.url },
  });
  await gateway.stop();
  assertNoLeak(gateway, canaries, responses);
  // Node's own numbers, the calls', the audit's lines and the traces' spans are there at all.
  for (const part of ['sallyport_calls_total', 'session.begin', '"action":"key.create"'])
    assert.ok(
      responses.some(text => text.includes(part)),
      part,
    );
  assert.match(told.join(), /"name":"GET \/u\/\{upstream\}\/\*"/);
  assertAbsent(canaries, 'what the collector was told', told.join());
});

test('canary tokens are nowhere in plain in a PostgreSQL database', async t => {
  const store = await postgresUrl(t);
  if (store === null) return;
  const { gateway, canaries, responses } = await everyPath(t, store);
  assertNoLeak(gateway, canaries, responses);
  const client = new pg.Client({ connectionString: store });
  await client.connect();
  t.after(() => client.end());
  const tables = await client.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  for (const { name } of tables.rows) {
    const { rows } = await client.query(`select * from "${name}"`);
    assertAbsent(canaries, `table ${name}`, JSON.stringify(rows));
  }
});
