import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { postgresUrl } from '../../test/fixtures/postgres.ts';
import { openDatabase, type StoreUrl } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { systemRuntime } from '../platform/runtime.ts';
import { createSealer } from '../vault/seal.ts';
import { createRecordingStore } from './recording-store.ts';
import { createTerminalStore } from './terminal-store.ts';

const places = {
  SQLite: async (): Promise<StoreUrl> => ({ dialect: 'sqlite', path: ':memory:' }),
  PostgreSQL: async (t: TestContext): Promise<StoreUrl | null> => {
    const url = await postgresUrl(t);
    return url === null ? null : { dialect: 'postgres', url };
  },
};

async function ground(t: TestContext, where: StoreUrl) {
  const database = openDatabase(where, { now: () => Date.now() });
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  return database.db;
}

const key = (kid: string) => ({ kid, bytes: Buffer.alloc(32, kid) });
/** Bytes that are no text. */
const pieceOf = (n: number) => Buffer.from([1, 0xff, 0, n, 0xc3]);
const terminal = { upstreamId: 'box', id: 't1', userId: 'usr_1', sessionId: 'chat', contextId: null };

for (const [name, place] of Object.entries(places)) {
  test(`${name}: a terminal is its maker's, and idle since somebody was there last`, async t => {
    const where = await place(t);
    if (where === null) return;
    const store = createTerminalStore(await ground(t, where));
    assert.equal(await store.add(terminal), true);
    assert.equal(await store.add({ ...terminal, userId: 'usr_2' }), false);
    assert.equal(await store.add({ ...terminal, sessionId: 'other' }), true);
    const found = (await store.find('box', 't1'))!;
    assert.deepEqual([found.userId, found.sessionId], ['usr_1', 'other']);
    assert.equal(typeof found.createdAt, 'number');
    assert.equal(await store.find('box', 't2'), null);
    assert.deepEqual(
      [await store.countAt('box'), await store.countAt('pod'), await store.countOf('usr_1')],
      [1, 0, 1],
    );
    assert.deepEqual(
      (await store.of('box', 'usr_1')).map(({ id }) => id),
      ['t1'],
    );
    assert.deepEqual(await store.of('box', 'usr_2'), []);
    for (const session of ['t1', 'other']) {
      assert.equal(await store.isAnothers('box', session, 'usr_2'), true);
      assert.equal(await store.isAnothers('box', session, 'usr_1'), false);
      assert.equal(await store.isAnothers('pod', session, 'usr_2'), false);
    }
    assert.deepEqual(await store.idle(60_000), []);
    const [idle] = await store.idle(0);
    assert.ok(idle!.idle >= 0 && idle!.idle < 60_000);
    await store.touch([terminal]);
    await store.remove('box', 't1');
    assert.deepEqual(await store.idle(0), []);
  });

  test(`${name}: a recording's pieces come in their order, under whichever key, and go with it`, async t => {
    const where = await place(t);
    if (where === null) return;
    const db = await ground(t, where);
    const old = createSealer([key('a')], systemRuntime);
    const both = createSealer([key('b'), key('a')], systemRuntime);
    const store = createRecordingStore({ db, sealer: old, runtime: systemRuntime });
    const id = store.newId();
    await store.begin({ id, upstreamId: 'box', terminalId: 't1', userId: 'usr_1', cols: 80, rows: 24 });
    for (let n = 0; n < 45; n += 3)
      await store.append(id, n, [pieceOf(n), pieceOf(n + 1), pieceOf(n + 2)], n + 3);
    const expected = Buffer.concat([...Array(45).keys()].map(pieceOf));
    const whole = async (of: typeof store) => Buffer.concat(await Array.fromAsync(of.pieces(id)));
    assert.deepEqual(await whole(store), expected);

    const later = createRecordingStore({ db, sealer: both, runtime: systemRuntime });
    const [first, ...rest] = await later.shelf.sealedOtherwise('b', '', 100);
    assert.equal(rest.length, 44);
    const anew = both.sealBytes(both.openBytes(first!.envelope, first!.place), first!.place);
    assert.equal(await later.shelf.reseal(first!, anew, 'b'), true);
    assert.equal(await later.shelf.reseal(first!, anew, 'b'), false);
    const kids = await later.shelf.kids();
    assert.deepEqual(Object.fromEntries(kids.map(({ kid, count }) => [kid, count])), { a: 44, b: 1 });
    assert.deepEqual(await whole(later), expected);
    // A piece that was put in another's place does not open.
    const [one, two] = await later.shelf.sealedOtherwise('b', '', 2);
    await later.shelf.reseal(one!, two!.envelope, 'a');
    await assert.rejects(Array.fromAsync(later.pieces(id)), { code: 'seal_broken' });

    await store.end(id);
    const [listed] = await store.list({ userId: 'usr_1', upstreamId: 'box' });
    assert.deepEqual([listed!.id, listed!.bytes, listed!.email], [id, 45, null]);
    assert.ok(listed!.endedAt! >= listed!.startedAt);
    assert.deepEqual(await store.list({ userId: 'usr_2', upstreamId: null }), []);
    assert.equal(await store.purge(60_000), 0);
    await store.remove(id);
    assert.equal(await store.find(id), null);
    assert.deepEqual(await later.shelf.kids(), []);
  });
}
