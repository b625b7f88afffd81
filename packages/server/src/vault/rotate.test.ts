import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { openDatabase } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { systemRuntime } from '../platform/runtime.ts';
import type { AuditEvent } from '../terms/audit.ts';
import { createGrantStore } from './grant-store.ts';
import { type Keyring, parseKey } from './keyring.ts';
import { assertKeysPresent, rotate } from './rotate.ts';
import { createSealer } from './seal.ts';
import { placeOf } from './tokens.ts';

const key = (fill: number) => parseKey(Buffer.alloc(32, fill).toString('hex'), 'test');
const ring = (...keys: Keyring) => createSealer(keys, systemRuntime);

async function world(t: TestContext, count: number) {
  const database = openDatabase({ dialect: 'sqlite', path: ':memory:' }, systemRuntime);
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  await sql`insert into users (id, groups, claimed_admin, local_admin, created_at) values ('usr_1', '[]', 0, 0, 0)`.execute(
    database.db,
  );
  const store = createGrantStore(database.db);
  const versionOf = (sealer: ReturnType<typeof ring>, id: string, version: number, text: string) => ({
    envelope: sealer.seal(text, placeOf({ userId: 'usr_1', id, version })),
    kid: sealer.kid,
    scope: '',
    lifetime: 3_600_000,
    hasRefreshToken: true,
  });
  const ids = Array.from({ length: count }, (_, n) => `grt_${String(n).padStart(4, '0')}`);
  const insert = (sealer: ReturnType<typeof ring>, id: string) =>
    store.insert({
      id,
      userId: 'usr_1',
      provider: 'corp',
      subject: 'alice',
      kind: 'sign-in',
      ...versionOf(sealer, id, 1, `tokens of ${id}`),
    });
  for (const id of ids) await insert(ring(key(1)), id);
  const events: AuditEvent[] = [];
  return {
    store,
    ids,
    insert,
    events,
    audit: { record: (event: AuditEvent) => void events.push(event) },
    /** What a refresh does to the row. */
    async refresh(sealer: ReturnType<typeof ring>, id: string) {
      const { version, now } = (await store.read(id))!;
      const next = versionOf(sealer, id, version + 1, `newer tokens of ${id}`);
      assert.equal(await store.commit(id, version, now, next), true);
    },
    async textOf(sealer: ReturnType<typeof ring>, id: string) {
      const grant = (await store.read(id))!;
      return sealer.open(grant.envelope, placeOf(grant));
    },
  };
}

test('after a rotation every grant opens with the new key alone, and a second one has nothing to do', async t => {
  const { store, audit, ids, events, textOf } = await world(t, 250);
  const sealer = ring(key(2), key(1));
  const progress: number[] = [];
  assert.equal(await rotate({ store, sealer, audit, onProgress: done => void progress.push(done) }), 250);
  assert.deepEqual(progress, [100, 200, 250]);
  const alone = ring(key(2));
  for (const id of ids) assert.equal(await textOf(alone, id), `tokens of ${id}`);
  await assertKeysPresent([store], alone);
  assert.equal(await rotate({ store, sealer, audit }), 0);
  assert.deepEqual(
    events.map(({ action, detail }) => [action, detail?.['resealed']]),
    [['secrets.rotate', 250]],
  );
});

test('refreshes in the middle of a rotation, by replicas with the new key first or last, lose nothing', async t => {
  const { store, audit, ids, refresh, textOf } = await world(t, 120);
  const sealer = ring(key(2), key(1));
  const behind = ring(key(1), key(2));
  const newer = new Set<string>();
  /** Between the rotation's look at a row and its swap, some other replica stores a successor. */
  const reseal: typeof store.reseal = async (grant, envelope, kid) => {
    const n = Number(grant.id.slice(4));
    if (n % 3 === 0 && !newer.has(grant.id)) {
      newer.add(grant.id);
      await refresh(n % 2 === 0 ? sealer : behind, grant.id);
      assert.equal(await store.reseal(grant, envelope, kid), false);
    }
    return store.reseal(grant, envelope, kid);
  };
  await rotate({ store: { ...store, reseal }, sealer, audit });
  for (const id of ids)
    assert.equal(await textOf(sealer, id), newer.has(id) ? `newer tokens of ${id}` : `tokens of ${id}`);
  assert.equal(newer.size, 40);
  // What a replica sealed with the old key meanwhile is for the next turn.
  await rotate({ store, sealer, audit });
  for (const id of ids) await textOf(ring(key(2)), id);
});

test('a rotation that was stopped goes on where it ended', async t => {
  const { store, audit } = await world(t, 250);
  const sealer = ring(key(2), key(1));
  const stop = new AbortController();
  const stopping = rotate({ store, sealer, audit, signal: stop.signal, onProgress: () => stop.abort() });
  await assert.rejects(stopping, { name: 'AbortError' });
  assert.equal(await rotate({ store, sealer, audit }), 150);
});

test('a grant under a key that is missing stops nobody else’s rotation, and stays as it is', async t => {
  const { store, audit, insert } = await world(t, 3);
  await insert(ring(key(3)), 'grt_0000a');
  const before = await store.read('grt_0000a');
  assert.equal(await rotate({ store, sealer: ring(key(2), key(1)), audit }), 3);
  assert.equal((await store.read('grt_0000a'))!.envelope, before!.envelope);
});

test('a gateway without a key that stored grants need does not start, and says which', async t => {
  const { store } = await world(t, 1);
  await assert.rejects(assertKeysPresent([store], ring(key(2))), {
    code: 'config_invalid',
    message: new RegExp(key(1).kid),
  });
  await assertKeysPresent([store], ring(key(2), key(1)));
});
