import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { postgresUrl } from '../../../test/fixtures/postgres.ts';
import { type Database, dbNow, openDatabase, type StoreUrl } from './db.ts';
import { migrate } from './migrate.ts';

const clock = { now: () => 1_700_000_000_123 };

function sqliteStore(t: TestContext): StoreUrl {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-db-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return { dialect: 'sqlite', path: join(directory, 'test.db') };
}

async function stores(t: TestContext): Promise<StoreUrl | null> {
  const url = await postgresUrl(t);
  return url === null ? null : { dialect: 'postgres', url };
}

for (const [name, store] of [
  ['SQLite', sqliteStore],
  ['PostgreSQL', stores],
] as const) {
  const open = async (t: TestContext): Promise<Database | null> => {
    const where = await store(t);
    if (where === null) return null;
    const database = openDatabase(where, clock);
    t.after(() => database[Symbol.asyncDispose]());
    return database;
  };

  test(`${name}: migrations apply once, in order, and a second run does nothing`, async t => {
    const database = await open(t);
    if (!database) return;
    assert.equal((await migrate(database))[0], '0001-begin.sql');
    assert.deepEqual(await migrate(database), []);
  });

  test(`${name}: an applied migration that was changed afterwards is refused`, async t => {
    const database = await open(t);
    if (!database) return;
    await migrate(database);
    await sql`update migrations set checksum = 'other'`.execute(database.db);
    await assert.rejects(migrate(database), {
      code: 'config_invalid',
      message: /0001-begin\.sql was changed/,
    });
  });

  test(`${name}: a database of a newer version is refused`, async t => {
    const database = await open(t);
    if (!database) return;
    await migrate(database);
    await sql`insert into migrations (name, checksum) values ('9999-future.sql', 'x')`.execute(database.db);
    await assert.rejects(migrate(database), { code: 'config_invalid', message: /newer Sallyport/ });
  });

  test(`${name}: the database's clock counts epoch milliseconds as a number`, async t => {
    const database = await open(t);
    if (!database) return;
    await migrate(database);
    const { rows } = await sql<{ at: number }>`select ${dbNow} as at`.execute(database.db);
    assert.equal(typeof rows[0]!.at, 'number');
    assert.ok(rows[0]!.at >= 1_700_000_000_000);
  });

  test(`${name}: a transaction that throws leaves nothing behind while others read`, async t => {
    const database = await open(t);
    if (!database) return;
    await migrate(database);
    const failing = database.db.transaction().execute(async tx => {
      await tx
        .insertInto('admin_links')
        .values({ hash: 'h', created_at: 1, expires_at: 2, used_at: null })
        .execute();
      throw new Error('stop');
    });
    const read = database.db.selectFrom('admin_links').selectAll().execute();
    await assert.rejects(failing, /stop/);
    assert.deepEqual(await read, []);
    assert.deepEqual(await database.db.selectFrom('admin_links').selectAll().execute(), []);
  });
}

test('several processes may migrate one PostgreSQL at once', async t => {
  const url = await postgresUrl(t);
  if (url === null) return;
  const databases = Array.from({ length: 4 }, () => openDatabase({ dialect: 'postgres', url }, clock));
  t.after(() => Promise.all(databases.map(database => database[Symbol.asyncDispose]())));
  const applied = await Promise.all(databases.map(database => migrate(database)));
  assert.equal(applied.filter(names => names.length > 0).length, 1);
});
