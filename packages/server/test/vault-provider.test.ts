import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { postgresUrl } from './fixtures/postgres.ts';
import { alice, HOUR, upstream, vaultGround } from './fixtures/vault-ground.ts';

const MINUTE = 60_000;
const llm = upstream();

const json = (status: number, body: string) => (res: ServerResponse) =>
  void res.writeHead(status, { 'content-type': 'application/json' }).end(body);
const page = (status: number) => (res: ServerResponse) =>
  void res.writeHead(status, { 'content-type': 'text/html' }).end('<h1>Maintenance</h1>');

for (const [what, answer] of Object.entries<(res: ServerResponse) => void>({
  'a 408': page(408),
  'a 429 that speaks of invalid_grant': json(429, '{"error":"invalid_grant"}'),
  'a 500': page(500),
  'a 502 of a proxy': page(502),
  'HTML with a 200': page(200),
  'JSON cut short': json(200, '{"access_token":"a'),
  invalid_client: json(401, '{"error":"invalid_client"}'),
  'a reset': res => void res.socket!.resetAndDestroy(),
  silence: () => {},
})) {
  test(`a provider that answers with ${what} costs nobody a grant: a living token is used, an expired one waits`, async t => {
    const { vault, signIn, clock, provider, store } = await vaultGround(t, { timeout: 50 });
    const grantId = await signIn();
    const call = async () => (await vault.credentialFor(alice(grantId), llm))!.value;
    provider.intercept = (_, res) => {
      answer(res);
      return true;
    };
    clock.advance(HOUR - MINUTE);
    assert.equal(await call(), 'Bearer a1');
    while ((await store.read(grantId))!.failures === 0) await turn();
    clock.advance(5_000);
    assert.equal(await call(), 'Bearer a1');

    clock.advance(HOUR);
    await assert.rejects(call, { code: 'unavailable', status: 503 });
    const grant = (await store.read(grantId))!;
    assert.equal(grant.state, 'idle');
    assert.ok(grant.retryAt > clock.now());

    provider.intercept = null;
    clock.advance(HOUR);
    assert.equal(await call(), 'Bearer a2');
  });
}

test('an answer without refresh_token keeps the old one, one without expires_in counts for an hour', async t => {
  const { vault, signIn, clock, provider } = await vaultGround(t);
  const who = alice(await signIn());
  provider.more = { refresh_token: undefined, expires_in: undefined };
  clock.advance(2 * HOUR);
  assert.equal((await vault.credentialFor(who, llm))!.value, 'Bearer a2');
  clock.advance(HOUR - MINUTE);
  assert.equal((await vault.credentialFor(who, llm))!.value, 'Bearer a2');
  while (provider.redeemed.length < 2) await turn();
  assert.deepEqual(provider.redeemed, ['r1', 'r1']);
});

test('tokens of 64 KB are stored, renewed and sent whole', async t => {
  const { vault, signIn, clock, provider } = await vaultGround(t);
  const large = 'x'.repeat(64 * 1024);
  const who = alice(await signIn({ access_token: large, id_token: await provider.idToken(3600) }));
  assert.equal((await vault.credentialFor(who, llm))!.value, `Bearer ${large}`);
  provider.more = { access_token: large.toUpperCase() };
  clock.advance(2 * HOUR);
  assert.equal((await vault.credentialFor(who, llm))!.value, `Bearer ${large.toUpperCase()}`);
});

test('an ID token that expires before its access token is renewed with it, and verified', async t => {
  const { vault, signIn, provider, clock } = await vaultGround(t);
  provider.idTokens = 300;
  const who = alice(await signIn({ id_token: await provider.idToken(300) }));
  const strict = upstream({ token: 'id_token', strict: true });
  const before = (await vault.credentialFor(who, strict))!;
  clock.advance(5 * MINUTE);
  const after = (await vault.credentialFor(who, strict))!;
  assert.notEqual(after.value, before.value);
  assert.ok(after.expiresAt > clock.now());
  assert.deepEqual(provider.redeemed, ['r1']);
});

test('a token without an end and without a successor is used until somebody refuses it, and then kept', async t => {
  const { vault, store, clock } = await vaultGround(t);
  const tokens = { access_token: 'gho_1', scope: 'read:user' };
  const grant = {
    userId: 'usr_alice',
    provider: 'github',
    subject: '1',
    kind: 'sign-in' as const,
    tokens,
    address: null,
  };
  const grantId = await vault.storeGrant(grant);
  clock.advance(365 * 24 * HOUR);
  const who = alice(grantId);
  const credential = (await vault.credentialFor(who, llm))!;
  assert.equal(credential.value, 'Bearer gho_1');
  assert.equal(await vault.renew(who, llm, credential), null);
  assert.equal((await store.read(grantId))!.state, 'idle');
});

test('two replicas on one PostgreSQL, 500 calls each with an expired token: one redemption, nobody gets the old one', async t => {
  const url = await postgresUrl(t);
  if (url === null) return;
  const { vault, signIn, replica, database, clock, provider } = await vaultGround(t, {
    store: { dialect: 'postgres', url },
  });
  const grantId = await signIn();
  // This database has a clock of its own.
  await database.db
    .updateTable('grants')
    .set(eb => ({ expires_at: eb('obtained_at', '-', 1), obtained_at: eb('obtained_at', '-', HOUR) }))
    .execute();
  const other = replica().vault;
  let over = false;
  const waiting = (async () => {
    // Who waits for the other replica looks again every 100 to 300 ms of the test's clock.
    for (; !over; clock.advance(1)) await turn();
  })();
  const credentials = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => [vault, other][n % 2]!.credentialFor(alice(grantId), llm)),
  );
  over = true;
  await waiting;
  assert.deepEqual(new Set(credentials.map(credential => credential!.value)), new Set(['Bearer a2']));
  assert.deepEqual(provider.redeemed, ['r1']);
});
