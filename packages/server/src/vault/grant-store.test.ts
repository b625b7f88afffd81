import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { postgresUrl } from '../../test/fixtures/postgres.ts';
import { type Db, openDatabase, type StoreUrl } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { createGrantStore, type GrantStore, type NewVersion } from './grant-store.ts';

const LIFE = 3_600_000;
const HOLD = 60_000;

const version = (envelope: string, more: Partial<NewVersion> = {}): NewVersion => ({
  envelope,
  kid: 'kid-1',
  scope: 'openid',
  lifetime: LIFE,
  hasRefreshToken: true,
  ...more,
});

const newGrant = (id: string, more: Partial<NewVersion> & { userId?: string; provider?: string } = {}) => ({
  id,
  userId: 'usr_alice',
  provider: 'corp',
  subject: 'alice',
  kind: 'sign-in' as const,
  ...version(`sealed ${id}`),
  ...more,
});

interface World {
  readonly store: GrantStore;
  readonly db: Db;
  /** Lets the database's time pass for one grant: what is stored of it lies that much further back. */
  pass(id: string, ms: number): Promise<void>;
}

const sqlite = async (t: TestContext): Promise<StoreUrl> => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-grants-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return { dialect: 'sqlite', path: join(directory, 'test.db') };
};

const postgres = async (t: TestContext): Promise<StoreUrl | null> => {
  const url = await postgresUrl(t);
  return url === null ? null : { dialect: 'postgres', url };
};

async function open(t: TestContext, where: StoreUrl): Promise<World> {
  const database = openDatabase(where, { now: () => Date.now() });
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  const { db } = database;
  for (const id of ['usr_alice', 'usr_bob']) {
    await sql`insert into users (id, groups, claimed_admin, local_admin, created_at) values (${id}, '[]', 0, 0, 0)`.execute(
      db,
    );
  }
  return {
    store: createGrantStore(db),
    db,
    async pass(id, ms) {
      await sql`update grants set attempt_deadline = attempt_deadline - ${ms}, expires_at = expires_at - ${ms},
        obtained_at = obtained_at - ${ms}, used_at = used_at - ${ms}, created_at = created_at - ${ms},
        retry_at = case when retry_at = 0 then 0 else retry_at - ${ms} end where id = ${id}`.execute(db);
    },
  };
}

for (const [name, where] of [
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
] as const) {
  const claimTest = (title: string, body: (world: World) => Promise<void>) =>
    test(`${name}: ${title}`, async t => {
      const found = await where(t);
      if (found !== null) await body(await open(t, found));
    });

  claimTest('a grant is read as it was kept, at the time of the database', async ({ store }) => {
    await store.insert(newGrant('grt_1'));
    const grant = (await store.read('grt_1'))!;
    assert.equal(grant.version, 1);
    assert.equal(grant.state, 'idle');
    assert.equal(grant.envelope, 'sealed grt_1');
    assert.equal(grant.hasRefreshToken, true);
    // Within one statement PostgreSQL's clock goes on.
    assert.ok(Math.abs(grant.expiresAt - grant.obtainedAt - LIFE) < 1_000);
    assert.ok(Math.abs(grant.now - Date.now()) < 5_000);
    assert.equal(await store.read('grt_2'), null);
  });

  claimTest('of many who claim one version at once, one gets it', async ({ store }) => {
    await store.insert(newGrant('grt_1'));
    const claims = Array.from({ length: 20 }, (_, n) =>
      store.claim({ id: 'grt_1', version: 1, over: null, attempt: `att_${n}`, hold: HOLD }),
    );
    const won = (await Promise.all(claims)).flatMap((at, n) => (at === null ? [] : [`att_${n}`]));
    assert.equal(won.length, 1);
    const grant = (await store.read('grt_1'))!;
    assert.equal(grant.state, 'redeeming');
    assert.equal(grant.attempt, won[0]);
    assert.ok(grant.attemptDeadline! > grant.now + HOLD - 5_000);
  });

  claimTest('another version cannot be claimed, and none before its time', async ({ store }) => {
    await store.insert(newGrant('grt_1'));
    const claim = (version: number, attempt: string) =>
      store.claim({ id: 'grt_1', version, over: null, attempt, hold: HOLD });
    assert.equal(await claim(2, 'att_1'), null);
    assert.notEqual(await claim(1, 'att_1'), null);
    const failure = { reason: 'status_503', backoff: 30_000, underway: false };
    assert.equal(await store.releaseFailed('grt_1', 'att_1', failure), true);
    assert.equal(await claim(1, 'att_2'), null);
  });

  claimTest(
    'a claim is taken over from its holder only, and only after its deadline',
    async ({ store, pass }) => {
      await store.insert(newGrant('grt_1'));
      await store.claim({ id: 'grt_1', version: 1, over: null, attempt: 'att_1', hold: HOLD });
      const over = (former: string, attempt: string) =>
        store.claim({ id: 'grt_1', version: 1, over: former, attempt, hold: HOLD });
      assert.equal(await over('att_1', 'att_2'), null);
      await pass('grt_1', HOLD);
      assert.equal(await over('att_0', 'att_2'), null);
      assert.notEqual(await over('att_1', 'att_2'), null);
      assert.equal(await over('att_1', 'att_3'), null);
    },
  );

  claimTest(
    'a successor is adopted once, counts from when it was asked for, and forgets all failures',
    async ({ store }) => {
      await store.insert(newGrant('grt_1'));
      await store.claim({ id: 'grt_1', version: 1, over: null, attempt: 'att_0', hold: HOLD });
      await store.releaseFailed('grt_1', 'att_0', { reason: 'status_503', backoff: 0, underway: false });
      const at = (await store.claim({ id: 'grt_1', version: 1, over: null, attempt: 'att_1', hold: HOLD }))!;
      assert.equal(await store.commit('grt_1', 1, at, version('successor', { lifetime: 10_000 })), true);
      assert.equal(await store.commit('grt_1', 1, at, version('another')), false);
      const grant = (await store.read('grt_1'))!;
      assert.equal(grant.version, 2);
      assert.equal(grant.state, 'idle');
      assert.equal(grant.envelope, 'successor');
      assert.deepEqual([grant.obtainedAt, grant.expiresAt], [at, at + 10_000]);
      assert.deepEqual([grant.attempt, grant.attemptDeadline], [null, null]);
      assert.deepEqual([grant.failures, grant.retryAt], [0, 0]);
    },
  );

  claimTest(
    'a late successor is adopted over another claim, and over a grant given up',
    async ({ store, pass }) => {
      await store.insert(newGrant('grt_1'));
      const at = (await store.claim({ id: 'grt_1', version: 1, over: null, attempt: 'att_1', hold: HOLD }))!;
      await pass('grt_1', HOLD);
      await store.claim({ id: 'grt_1', version: 1, over: 'att_1', attempt: 'att_2', hold: HOLD });
      assert.equal(await store.markReauth('grt_1', 1, 'att_2'), true);
      assert.equal(await store.commit('grt_1', 1, at, version('successor')), true);
      const { state, version: stored } = (await store.read('grt_1'))!;
      assert.deepEqual([state, stored], ['idle', 2]);
    },
  );

  claimTest(
    'who no longer holds the claim can neither give it back nor mark the grant',
    async ({ store }) => {
      await store.insert(newGrant('grt_1'));
      await store.claim({ id: 'grt_1', version: 1, over: null, attempt: 'att_1', hold: HOLD });
      const failure = { reason: 'status_503', backoff: 0, underway: false };
      assert.equal(await store.release('grt_1', 'att_0'), false);
      assert.equal(await store.releaseFailed('grt_1', 'att_0', failure), false);
      assert.equal(await store.markReauth('grt_1', 1, 'att_0'), false);
      assert.equal(await store.markReauth('grt_1', 2, 'att_1'), false);
      assert.equal((await store.read('grt_1'))!.state, 'redeeming');
    },
  );

  claimTest(
    'a request that may still reach the provider keeps others away until its deadline',
    async ({ store }) => {
      for (const [id, underway, least] of [
        ['grt_1', true, HOLD - 5_000],
        ['grt_2', false, 1_000],
      ] as const) {
        await store.insert(newGrant(id));
        await store.claim({ id, version: 1, over: null, attempt: 'att_1', hold: HOLD });
        await store.releaseFailed(id, 'att_1', { reason: 'no_answer', backoff: 2_000, underway });
        const grant = (await store.read(id))!;
        assert.equal(grant.state, 'idle');
        assert.equal(grant.refreshResult, 'no_answer');
        assert.equal(grant.failures, 1);
        assert.ok(grant.retryAt - grant.now >= least && grant.retryAt - grant.now <= least + 5_000);
      }
    },
  );

  claimTest(
    'the newest sign-in that can be used comes before newer ones that cannot',
    async ({ store, pass }) => {
      await store.insert(newGrant('grt_good'));
      await store.insert(newGrant('grt_hub', { provider: 'hub' }));
      await store.insert(newGrant('grt_ended', { hasRefreshToken: false, lifetime: -1 }));
      await store.insert(newGrant('grt_bob', { userId: 'usr_bob' }));
      await pass('grt_good', 60_000);
      await pass('grt_hub', 30_000);
      assert.equal((await store.newest('usr_alice', 'corp'))!.id, 'grt_good');
      assert.equal((await store.newest('usr_alice', null))!.id, 'grt_hub');
      assert.equal((await store.newest('usr_alice', 'hub'))!.id, 'grt_hub');
      assert.equal(await store.newest('usr_alice', 'other'), null);
      await store.delete('grt_good');
      assert.equal((await store.newest('usr_alice', 'corp'))!.id, 'grt_ended');
    },
  );

  claimTest(
    'due are grants in use that can be refreshed and end soon, the soonest first',
    async ({ store, pass }) => {
      await store.insert(newGrant('grt_late', { lifetime: 200_000 }));
      await store.insert(newGrant('grt_soon', { lifetime: 100_000 }));
      await store.insert(newGrant('grt_far'));
      await store.insert(newGrant('grt_bare', { lifetime: 100_000, hasRefreshToken: false }));
      await store.insert(newGrant('grt_busy', { lifetime: 100_000 }));
      await store.claim({ id: 'grt_busy', version: 1, over: null, attempt: 'att_1', hold: HOLD });
      await store.insert(newGrant('grt_unused', { lifetime: 7_300_000 }));
      await pass('grt_unused', 7_200_000);
      const due = (limit: number) => store.due({ within: 600_000, usedWithin: 3_600_000, limit });
      assert.deepEqual(
        (await due(10)).map(grant => grant.id),
        ['grt_soon', 'grt_late'],
      );
      assert.equal((await due(1)).length, 1);
      await store.touch('grt_unused');
      assert.equal((await due(10)).length, 3);
    },
  );

  claimTest('what is deleted is handed out once, for its provider to be told', async ({ store }) => {
    await store.insert(newGrant('grt_1'));
    const deleted = await Promise.all([store.delete('grt_1'), store.delete('grt_1')]);
    assert.deepEqual(deleted.map(grant => grant?.envelope).sort(), ['sealed grt_1', undefined]);
  });

  claimTest('a resealed envelope does not overwrite one that was changed meanwhile', async ({ store }) => {
    await store.insert(newGrant('grt_1'));
    const before = (await store.read('grt_1'))!;
    assert.equal(await store.commit('grt_1', 1, before.now, version('successor')), true);
    assert.equal(await store.reseal(before, 'resealed', 'kid-2'), false);
    const after = (await store.read('grt_1'))!;
    assert.equal(await store.reseal(after, 'resealed', 'kid-2'), true);
    assert.deepEqual(await store.kids(), [{ kid: 'kid-2', count: 1 }]);
    assert.deepEqual(await store.sealedOtherwise('kid-2', '', 10), []);
  });

  claimTest(
    'purged are grants that are over, long unused, and nobody’s session',
    async ({ store, pass, db }) => {
      const over = { hasRefreshToken: false, lifetime: 1 };
      for (const id of ['grt_gone', 'grt_session', 'grt_used']) await store.insert(newGrant(id, over));
      await store.insert(newGrant('grt_alive'));
      for (const id of ['grt_gone', 'grt_session', 'grt_alive']) await pass(id, 1_000_000);
      await sql`insert into sessions (id, hash, user_id, grant_id, created_at, seen_at, expires_at)
      values ('ses_1', 'h', 'usr_alice', 'grt_session', 0, 0, 0)`.execute(db);
      assert.deepEqual(await store.purge(500_000), [
        { id: 'grt_gone', userId: 'usr_alice', provider: 'corp' },
      ]);
      assert.deepEqual((await store.ofUser('usr_alice')).map(grant => grant.id).sort(), [
        'grt_alive',
        'grt_session',
        'grt_used',
      ]);
    },
  );
}
