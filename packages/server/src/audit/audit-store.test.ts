import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { postgresUrl } from '../../test/fixtures/postgres.ts';
import { openDatabase, type StoreUrl } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { commandLine } from '../terms/audit.ts';
import { type AuditQuery, createAuditStore, MOST_AT_ONCE, type TimedEvent } from './audit-store.ts';
import { createElsewhere } from './elsewhere.ts';
import { purgeAudit } from './retention.ts';

const DAY = 86_400_000;

async function ground(t: TestContext, where: StoreUrl) {
  const database = openDatabase(where, { now: () => Date.now() });
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  const { db } = database;
  return { db, store: createAuditStore(db) };
}

const event = (id: string, at: number, more: Partial<TimedEvent> = {}): TimedEvent => ({
  id,
  at,
  action: 'key.create',
  ...commandLine,
  ...more,
});

const places = {
  SQLite: async (): Promise<StoreUrl> => ({ dialect: 'sqlite', path: ':memory:' }),
  PostgreSQL: async (t: TestContext): Promise<StoreUrl | null> => {
    const url = await postgresUrl(t);
    return url === null ? null : { dialect: 'postgres', url };
  },
};

for (const [name, place] of Object.entries(places)) {
  test(`${name}: every filter narrows, alone and together, and pages follow one another`, async t => {
    const where = await place(t);
    if (where === null) return;
    const { db, store } = await ground(t, where);
    await sql`insert into users (id, email, groups, claimed_admin, local_admin, created_at) values ('usr_1', 'alice@corp.example', '[]', 0, 0, 0)`.execute(
      db,
    );
    await store.insert([
      event('evt_1', 1_000, {
        action: 'grant.store',
        userId: 'usr_1',
        credentialId: 'ses_1',
        target: 'grt_1',
      }),
      event('evt_2', 2_000, { action: 'grant.end', userId: 'usr_2', credentialId: 'ses_2', target: 'grt_1' }),
      event('evt_3', 2_000, { userId: 'usr_1', credentialId: 'ses_1', target: 'key_1' }),
    ]);
    const ids = async (query: Partial<AuditQuery>) =>
      (await store.list({ limit: 10, ...query })).map(found => found.id);
    assert.deepEqual(await ids({}), ['evt_3', 'evt_2', 'evt_1']);
    assert.deepEqual(await ids({ action: 'grant.*' }), ['evt_2', 'evt_1']);
    assert.deepEqual(await ids({ action: 'nothing.*' }), []);
    assert.deepEqual(await ids({ user: 'usr_1' }), ['evt_3', 'evt_1']);
    assert.deepEqual(await ids({ user: 'Alice@corp.example' }), ['evt_3', 'evt_1']);
    assert.deepEqual(await ids({ user: 'bob@corp.example' }), []);
    assert.deepEqual(await ids({ credential: 'ses_1', target: 'grt_1' }), ['evt_1']);
    assert.deepEqual(await ids({ from: 1_000, to: 2_000 }), ['evt_1']);
    assert.deepEqual(await ids({ after: { at: 2_000, id: 'evt_3' } }), ['evt_2', 'evt_1']);
    assert.deepEqual(await ids({ after: { at: 2_000, id: 'evt_2' }, limit: 1 }), ['evt_1']);
  });

  test(`${name}: however many come at once, each is there as it was recorded`, async t => {
    const where = await place(t);
    if (where === null) return;
    const { db, store } = await ground(t, where);
    for (const many of [1, 2, 3, 40, MOST_AT_ONCE + 1]) {
      const events = Array.from({ length: many }, (_, n) =>
        event(`evt_${many}_${String(n).padStart(4, '0')}`, n, {
          userId: n % 2 === 0 ? `usr_${n}` : null,
          credentialId: null,
          address: '2001:db8::1',
          target: n % 3 === 0 ? `it's "${n}"` : null,
          detail: { n, big: 2 ** 40, ok: true, none: null },
        }),
      );
      await store.insert(events);
      const found = await store.list({ limit: 1_000 });
      assert.deepEqual(
        found.reverse(),
        events.map(one => ({ ...one, userLabel: null })),
      );
      await db.deleteFrom('audit_events').execute();
    }
    await assert.rejects(store.insert([event('evt_1', 1), event('evt_2', 2), event('evt_1', 3)]));
    assert.deepEqual(await store.list({ limit: 10 }), [], 'one that cannot be stored keeps the others out');
  });

  test(`${name}: what people did since is found, without what their programs do by the thousand`, async t => {
    const where = await place(t);
    if (where === null) return;
    const { store } = await ground(t, where);
    assert.equal(await store.newest(), null);
    let now = 100_000;
    const look = createElsewhere({ store, runtime: { now: () => now } });
    await store.insert([
      event('evt_1', 1_000, { detail: { user: 'usr_old' } }),
      event('evt_2', 90_000, { detail: { user: 'usr_1' } }),
      event('evt_3', 91_000, { action: 'user.disable', userId: 'usr_root', target: 'usr_2' }),
      event('evt_4', 92_000, { action: 'invitation.create' }),
    ]);
    assert.deepEqual(await look(), {
      stored: true,
      deeds: [
        { action: 'invitation.create', userId: null },
        { action: 'user.disable', userId: 'usr_2' },
        { action: 'key.create', userId: 'usr_1' },
      ],
    });
    assert.deepEqual(await look(), { stored: false, deeds: [] });
    await store.insert([event('evt_5', 99_000, { action: 'tool.call' })]);
    assert.deepEqual(await look(), { stored: true, deeds: [] });
    // A clock that is behind ours, and a write that took its time.
    now = 104_000;
    await store.insert([event('evt_6', 98_000, { userId: 'usr_3' })]);
    assert.deepEqual(await look(), { stored: true, deeds: [{ action: 'key.create', userId: 'usr_3' }] });
  });

  test(`${name}: what is older than it is kept goes, the oldest first, and nothing else`, async t => {
    const where = await place(t);
    if (where === null) return;
    const { store } = await ground(t, where);
    const now = Date.now();
    await store.insert(Array.from({ length: 10 }, (_, n) => event(`evt_${n}`, now - (n + 1) * DAY + 60_000)));
    const left = async () => (await store.list({ limit: 20 })).map(found => found.id);
    assert.equal(await store.purge(5 * DAY, 2), 2);
    assert.deepEqual((await left()).at(-1), 'evt_7');
    const runtime = { sleep: async () => {} };
    assert.equal(await purgeAudit(null, { store, runtime }), 0);
    assert.equal(await purgeAudit(5 * DAY, { store, runtime }), 3);
    assert.deepEqual(await left(), ['evt_0', 'evt_1', 'evt_2', 'evt_3', 'evt_4']);
  });
}

test('a table that was never cleared is cleared in turns, with a pause for everybody else', async () => {
  let rows = 120_500;
  let pauses = 0;
  const store = { purge: async (_age: number, most: number) => Math.min(most, rows, (rows -= most) + most) };
  const runtime = {
    sleep: async () => {
      pauses += 1;
    },
  };
  assert.equal(await purgeAudit(DAY, { store, runtime }), 50_000);
  assert.equal(pauses, 50);
  assert.equal(await purgeAudit(DAY, { store, runtime }), 50_000);
  assert.equal(await purgeAudit(DAY, { store, runtime }), 20_500);
});

test('SQLite finds its place in an index, whatever the audit is asked for', async t => {
  const { db } = await ground(t, await places.SQLite());
  for (const [field, value] of [
    ['action', 'key.create'],
    ['user_id', 'usr_1'],
    ['credential_id', 'key_1'],
    ['target', 'grt_1'],
  ] as const) {
    const plan = await sql<{ detail: string }>`explain query plan select * from audit_events
      where ${sql.ref(field)} = ${value} and at <= 5 order by at desc, id desc limit 50`.execute(db);
    const detail = plan.rows.map(row => row.detail).join('; ');
    assert.match(detail, new RegExp(`SEARCH audit_events USING INDEX audit_events_${field} `));
    assert.doesNotMatch(detail, /TEMP B-TREE FOR ORDER BY/, 'the whole result is not sorted');
  }
});
