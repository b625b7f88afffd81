import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { Agent, request } from 'undici';
import { openDatabase, type StoreUrl } from '../src/platform/db/db.ts';
import { createBrowser } from './fixtures/browser.ts';
import { type Gateway, providerConfig, startGateway } from './fixtures/gateway.ts';
import { postgresUrl } from './fixtures/postgres.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const CALLS = 1_000;

/** The access token of every grant is made to have expired: what a laptop closed overnight comes to. */
async function expireTokens(store: StoreUrl): Promise<void> {
  const database = openDatabase(store, { now: () => Date.now() });
  await sql`update grants set expires_at = now_ms() - 1000, obtained_at = now_ms() - 3600000`.execute(
    database.db,
  );
  await database[Symbol.asyncDispose]();
}

async function storm(gateways: readonly Gateway[], cookie: string): Promise<number[]> {
  const agent = new Agent({ connections: 100 });
  const calls = Array.from({ length: CALLS }, async (_, n) => {
    const { statusCode, body } = await request(`${gateways[n % gateways.length]!.url}/u/tools/echo`, {
      dispatcher: agent,
      headers: { cookie: `oauth_session_id=${cookie}` },
    });
    await body.dump();
    return statusCode;
  });
  const statuses = await Promise.all(calls);
  await agent.close();
  return statuses;
}

async function prepare(t: TestContext, store: string | null, replicas: number) {
  const provider = await startProvider();
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const config = {
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
  };
  const first = await startGateway(t, { config, ...(store ? { store } : {}) });
  const browser = createBrowser();
  await provider.signIn(browser, `${first.url}/auth/corp/login`);
  const cookie = browser.cookie(first.url, 'oauth_session_id')!;
  await request(`${first.url}/u/tools/echo`, { headers: { cookie: `oauth_session_id=${cookie}` } }).then(r =>
    r.body.dump(),
  );
  const old = upstream.requests.at(-1)!.headers['authorization'];
  await first.stop();
  await expireTokens(
    store
      ? { dialect: 'postgres', url: store }
      : { dialect: 'sqlite', path: `${first.directory}/sallyport.db` },
  );
  upstream.requests.length = 0;
  await first.restart();
  const gateways = [first];
  while (gateways.length < replicas)
    gateways.push(await startGateway(t, { config, store: store!, directory: first.directory }));
  return { provider, upstream, gateways, cookie, old };
}

test('1,000 concurrent calls with an expired access token: one redemption, 1,000 answers, none with the old token', async t => {
  const { provider, upstream, gateways, cookie, old } = await prepare(t, null, 1);
  const statuses = await storm(gateways, cookie);
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.equal(provider.redemptions, 1);
  assert.equal(upstream.requests.length, CALLS);
  assert.equal(new Set(upstream.requests.map(seen => seen.headers['authorization'])).size, 1);
  assert.notEqual(upstream.requests[0]!.headers['authorization'], old);
});

test('the same storm on two gateway processes with one PostgreSQL: one redemption', async t => {
  const store = await postgresUrl(t);
  if (store === null) return;
  const { provider, upstream, gateways, cookie, old } = await prepare(t, store, 2);
  const statuses = await storm(gateways, cookie);
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.equal(provider.redemptions, 1);
  assert.equal(provider.refusedRedemptions, 0);
  assert.equal(new Set(upstream.requests.map(seen => seen.headers['authorization'])).size, 1);
  assert.notEqual(upstream.requests[0]!.headers['authorization'], old);
});
