import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { sql } from 'kysely';
import { openDatabase } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { createLog } from '../platform/log.ts';
import { systemRuntime } from '../platform/runtime.ts';
import { createGrantStore } from './grant-store.ts';
import { parseKey } from './keyring.ts';
import { createRefresh, type RefreshDeps } from './refresh.ts';
import { createSealer } from './seal.ts';
import type { OpenEndpoint, RefreshAnswer } from './token-endpoint.ts';
import { placeOf, type Tokens } from './tokens.ts';

const GRANT = 'grt_1';
const HOUR = 3_600_000;
const DUE = { wanting: 1, refused: false };

const tokens = (n: number, more: object = {}): RefreshAnswer => ({
  kind: 'tokens',
  tokens: { access_token: `a${n}`, refresh_token: `r${n}`, expires_in: 300, ...more },
});
const failing = (reason: string, retryAfter: number | null = null): RefreshAnswer => ({
  kind: 'transient',
  reason,
  retryAfter,
  underway: false,
});
const REFUSED: RefreshAnswer = { kind: 'invalid_grant' };

/** A grant in a real database, a clock that stands still until it is told, and a provider that answers as a test says. */
async function world(t: TestContext, lifetime: number, first: Partial<Tokens> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-refresh-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const clock = { time: Date.parse('2026-01-01T00:00:00Z') };
  const runtime = {
    now: () => clock.time,
    monotonic: () => clock.time,
    random: randomBytes,
    sleep: () => turn() as Promise<void>,
  };
  const database = openDatabase({ dialect: 'sqlite', path: join(directory, 'test.db') }, runtime);
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  await sql`insert into users (id, groups, claimed_admin, local_admin, created_at) values ('usr_1', '[]', 0, 0, 0)`.execute(
    database.db,
  );
  const store = createGrantStore(database.db);
  const sealer = createSealer([parseKey(Buffer.alloc(32, 9).toString('hex'), 'test')], runtime);
  const place = placeOf({ userId: 'usr_1', id: GRANT, version: 1 });
  await store.insert({
    id: GRANT,
    userId: 'usr_1',
    provider: 'corp',
    subject: 'alice',
    kind: 'sign-in',
    envelope: sealer.seal(JSON.stringify({ access_token: 'a1', refresh_token: 'r1', ...first }), place),
    kid: sealer.kid,
    scope: 'openid',
    lifetime,
    hasRefreshToken: true,
  });

  const sent: string[] = [];
  const revoked: string[] = [];
  const changes: string[] = [];
  const answers: (RefreshAnswer | (() => Promise<RefreshAnswer>))[] = [];
  const open: OpenEndpoint = {
    async refresh(refreshToken) {
      sent.push(refreshToken);
      const answer = answers.shift() ?? tokens(sent.length + 1);
      return typeof answer === 'function' ? answer() : answer;
    },
    async revoke(token) {
      revoked.push(token);
    },
  };
  const deps: RefreshDeps = {
    store,
    sealer,
    endpoint: { open: async () => open },
    runtime,
    log: createLog({ level: 'silent' }),
    changed: (_, result) => void changes.push(result),
  };
  return {
    clock,
    store,
    sealer,
    sent,
    revoked,
    changes,
    answers,
    /** A process of its own, as far as the database can tell. */
    replica: (more: Partial<RefreshDeps> = {}) => createRefresh({ ...deps, ...more }),
    row: async () => (await store.read(GRANT))!,
    async stored(): Promise<Tokens> {
      const grant = (await store.read(GRANT))!;
      return JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    },
  };
}

/** Something to wait for, and to let happen. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>(resolve => (open = resolve));
  return { open, opened };
}

test('1,000 callers at once share one redemption and its result', async t => {
  const { replica, sent, changes, row } = await world(t, -1);
  const refresh = replica();
  const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => refresh.run(GRANT, DUE)));
  assert.equal(new Set(outcomes.map(outcome => JSON.stringify(outcome))).size, 1);
  assert.deepEqual(outcomes[0], { is: 'usable', version: 2 });
  assert.deepEqual(sent, ['r1']);
  assert.deepEqual(changes, ['refreshed']);
  assert.equal((await row()).expiresAt - (await row()).obtainedAt, 300_000);
});

test('three replicas at once make one redemption, and all of them have its result', async t => {
  const { replica, sent } = await world(t, -1);
  const runs = [replica(), replica(), replica()].map(refresh => refresh.run(GRANT, DUE));
  for (const outcome of await Promise.all(runs)) assert.deepEqual(outcome, { is: 'usable', version: 2 });
  assert.deepEqual(sent, ['r1']);
});

test('a token that was refused is refreshed once, however many were refused with it', async t => {
  const { replica, sent } = await world(t, HOUR);
  const refresh = replica();
  const refused = { wanting: 1, refused: true };
  await Promise.all([refresh.run(GRANT, DUE), refresh.run(GRANT, refused), refresh.run(GRANT, refused)]);
  assert.deepEqual(await refresh.run(GRANT, refused), { is: 'usable', version: 2 });
  assert.deepEqual(sent, ['r1']);
});

test('an answer without refresh token, ID token or expiry keeps the two and counts for an hour', async t => {
  const { replica, answers, stored, row } = await world(t, -1, { id_token: 'i1' });
  answers.push({ kind: 'tokens', tokens: { access_token: 'a2' } });
  await replica().run(GRANT, DUE);
  assert.deepEqual(await stored(), {
    access_token: 'a2',
    refresh_token: 'r1',
    id_token: 'i1',
    id_token_kept: true,
  });
  const { expiresAt, obtainedAt, scope } = await row();
  assert.equal(expiresAt - obtainedAt, HOUR);
  assert.equal(scope, 'openid');
});

test('a provider that fails marks nothing; it is left alone for longer each time, and asked again', async t => {
  const { replica, answers, sent, clock, row, changes } = await world(t, -1);
  const refresh = replica();
  for (let failures = 1; failures <= 12; failures++) {
    answers.push(failing('status_503'));
    const outcome = await refresh.run(GRANT, DUE);
    const { state, retryAt, refreshResult, now } = await row();
    assert.deepEqual(outcome, { is: 'unavailable', until: retryAt });
    assert.deepEqual([state, refreshResult], ['idle', 'status_503']);
    const most = Math.min(2_000 * 2 ** (failures - 1), 300_000);
    assert.ok(retryAt - now >= most / 2 && retryAt - now <= most + 1, `${retryAt - now} of ${most}`);
    assert.deepEqual(await refresh.run(GRANT, DUE), { is: 'unavailable', until: retryAt });
    assert.equal(sent.length, failures);
    clock.time = retryAt;
  }
  assert.deepEqual(await refresh.run(GRANT, DUE), { is: 'usable', version: 2 });
  assert.deepEqual([(await row()).failures, changes.at(-1)], [0, 'refreshed']);
});

for (const reason of [
  'status_408',
  'status_429',
  'status_500',
  'status_502',
  'invalid_client',
  'ECONNRESET',
]) {
  test(`after ${reason} a token that still lives goes on being used`, async t => {
    const { replica, answers, stored } = await world(t, 60_000);
    answers.push(failing(reason));
    assert.deepEqual(await replica().run(GRANT, DUE), { is: 'usable', version: 1 });
    assert.deepEqual(await stored(), { access_token: 'a1', refresh_token: 'r1' });
  });
}

test('Retry-After is waited for where it asks for more than the backoff', async t => {
  const { replica, answers, row } = await world(t, -1);
  answers.push(failing('status_429', 120_000));
  await replica().run(GRANT, DUE);
  const { retryAt, now } = await row();
  assert.equal(retryAt - now, 120_000);
});

test('after a timeout nobody sends the same refresh token before the claim would have ended', async t => {
  const { replica, answers, sent, clock } = await world(t, -1);
  answers.push({ kind: 'transient', reason: 'no_answer', retryAfter: null, underway: true });
  const refresh = replica();
  await refresh.run(GRANT, DUE);
  clock.time += 59_000;
  assert.equal((await refresh.run(GRANT, DUE)).is, 'unavailable');
  clock.time += 1_000;
  assert.equal((await refresh.run(GRANT, DUE)).is, 'usable');
  assert.deepEqual(sent, ['r1', 'r1']);
});

test('a provider that cannot be found is asked nothing and holds up nobody', async t => {
  for (const [lifetime, outcome] of [
    [-1, { is: 'unavailable', until: null }],
    [60_000, { is: 'usable', version: 1 }],
  ] as const) {
    const { replica, sent, row } = await world(t, lifetime);
    const endpoint = { open: () => Promise.reject(new Error('no discovery')) };
    assert.deepEqual(await replica({ endpoint }).run(GRANT, DUE), outcome);
    assert.deepEqual([sent, (await row()).state], [[], 'idle']);
  }
});

test('a refresh token that the provider refuses ends the grant, and the user is told', async t => {
  const { replica, answers, changes, row, sent } = await world(t, -1);
  answers.push(REFUSED);
  const refresh = replica();
  assert.deepEqual(await refresh.run(GRANT, DUE), { is: 'reauth-required' });
  assert.equal((await row()).state, 'reauth_required');
  assert.deepEqual(changes, ['invalid_grant']);
  assert.deepEqual(await refresh.run(GRANT, DUE), { is: 'reauth-required' });
  assert.equal(sent.length, 1);
});

test('refused because another has redeemed it: the successor is used, and nothing is marked', async t => {
  const { replica, answers, clock, store, sealer, row } = await world(t, -1);
  answers.push(async () => {
    const envelope = sealer.seal(
      '{"access_token":"a2"}',
      placeOf({ userId: 'usr_1', id: GRANT, version: 2 }),
    );
    const next = { envelope, kid: sealer.kid, scope: '', lifetime: HOUR, hasRefreshToken: true };
    await store.commit(GRANT, 1, clock.time, next);
    return REFUSED;
  });
  assert.deepEqual(await replica().run(GRANT, DUE), { is: 'usable', version: 2 });
  assert.equal((await row()).state, 'idle');
});

test('a late answer is adopted, though another replica took the claim over and was refused', async t => {
  const { replica, answers, clock, row, stored, sent } = await world(t, -1);
  const late = gate();
  answers.push(async () => {
    await late.opened;
    return tokens(2);
  }, REFUSED);
  const slow = replica().run(GRANT, DUE);
  while (sent.length === 0) await turn();
  clock.time += 60_000;
  assert.deepEqual(await replica().run(GRANT, DUE), { is: 'reauth-required' });
  late.open();
  assert.deepEqual(await slow, { is: 'usable', version: 2 });
  assert.equal((await row()).state, 'idle');
  assert.equal((await stored()).refresh_token, 'r2');
});

test('a received successor outlives a database that is away', async t => {
  const { replica, store, sent, stored } = await world(t, -1);
  let away = 5;
  const commit: typeof store.commit = (...args) => {
    if (away-- > 0) return Promise.reject(new Error('connection lost'));
    return store.commit(...args);
  };
  const outcome = await replica({ store: { ...store, commit } }).run(GRANT, DUE);
  assert.deepEqual(outcome, { is: 'usable', version: 2 });
  assert.deepEqual([sent, (await stored()).refresh_token], [['r1'], 'r2']);
});

test('a process that slept after its claim sends nothing and claims anew', async t => {
  const { replica, clock, sent, row } = await world(t, -1);
  let naps = 1;
  const probe = (at: string) => {
    if (at === 'after-claim' && naps-- > 0) clock.time += 45_000;
  };
  assert.deepEqual(await replica({ probe }).run(GRANT, DUE), { is: 'usable', version: 2 });
  assert.deepEqual(sent, ['r1']);
  naps = Number.POSITIVE_INFINITY;
  clock.time = (await row()).expiresAt;
  const outcome = await replica({ probe }).run(GRANT, { wanting: 2, refused: false });
  assert.deepEqual(outcome, { is: 'unavailable', until: null });
  assert.deepEqual([sent, (await row()).state], [['r1'], 'idle']);
});

test('a grant that ends while its successor is on the way takes the successor with it', async t => {
  const { replica, answers, store, revoked } = await world(t, -1);
  answers.push(async () => {
    await store.delete(GRANT);
    return tokens(2);
  });
  assert.deepEqual(await replica().run(GRANT, DUE), { is: 'gone' });
  assert.deepEqual(revoked, ['r2']);
});

test('an answer that was long under way does not make its token live longer', async t => {
  const { replica, answers, clock, row } = await world(t, -1);
  const began = clock.time;
  answers.push(async () => {
    clock.time += 15_000;
    return tokens(2);
  });
  await replica().run(GRANT, DUE);
  assert.equal((await row()).expiresAt, began + 300_000);
});

test('a gateway that ends waits for the answers that are still to come', async t => {
  const { replica, answers, stored, sent } = await world(t, -1);
  const late = gate();
  answers.push(async () => {
    await late.opened;
    return tokens(2);
  });
  // A real clock: the patience of half a minute must not be what ends the wait.
  const refresh = replica({ runtime: systemRuntime });
  const running = refresh.run(GRANT, DUE);
  while (sent.length === 0) await turn();
  const ended = refresh[Symbol.asyncDispose]();
  late.open();
  await ended;
  assert.equal((await stored()).refresh_token, 'r2');
  await running;
});

test('a grant whose envelope was swapped with another’s, or set back, fails closed and is not sent', async t => {
  const { replica, sent, store, sealer, row } = await world(t, -1);
  const grant = await row();
  const foreign = sealer.seal('{"refresh_token":"stolen"}', placeOf({ ...grant, id: 'grt_2' }));
  await store.reseal(grant, foreign, sealer.kid);
  await assert.rejects(replica().run(GRANT, DUE), { code: 'seal_broken' });
  const next = { envelope: grant.envelope, kid: sealer.kid, scope: '', lifetime: -1, hasRefreshToken: true };
  await store.commit(GRANT, 1, grant.now, next);
  await assert.rejects(replica().run(GRANT, { wanting: 2, refused: false }), { code: 'seal_broken' });
  assert.deepEqual(sent, []);
});
