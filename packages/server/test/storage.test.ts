import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openDatabase, type StoreUrl } from '../src/platform/db/db.ts';
import { migrate } from '../src/platform/db/migrate.ts';
import { postgresUrl } from './fixtures/postgres.ts';

/** `table.column nullable`, of a migrated database. */
async function fieldsOf(store: StoreUrl): Promise<string[]> {
  const database = openDatabase(store, { now: () => 0 });
  try {
    await migrate(database);
    const tables = await database.db.introspection.getTables();
    return tables
      .filter(({ name }) => name !== 'migrations')
      .flatMap(({ name, columns }) =>
        columns.map(column => `${name}.${column.name}${column.isNullable ? ' nullable' : ''}`),
      )
      .sort();
  } finally {
    await database[Symbol.asyncDispose]();
  }
}

test('every stored field is in docs/storage.md as hashed, sealed or plain, and nothing else is', async () => {
  const rows = readFileSync(new URL('../../../docs/storage.md', import.meta.url), 'utf8').matchAll(
    /^\| (\w+) \| (\w+) \| (\w+) \|/gm,
  );
  const documented = [...rows].filter(([, , , how]) => how !== 'how');
  assert.deepEqual(
    documented.filter(([, , , how]) => !['hashed', 'sealed', 'plain'].includes(how!)),
    [],
  );
  const fields = await fieldsOf({ dialect: 'sqlite', path: ':memory:' });
  assert.deepEqual(
    documented.map(([, table, column]) => `${table}.${column}`).sort(),
    fields.map(field => field.split(' ')[0]),
  );
});

test('both dialects have the same tables and columns, with the same ones nullable', async t => {
  const url = await postgresUrl(t);
  if (url === null) return;
  const sqlite = await fieldsOf({ dialect: 'sqlite', path: ':memory:' });
  // SQLite reports a text primary key as nullable, which it is not in ours.
  const keys = new Set(
    sqlite.filter(field => field.endsWith('.id nullable') || field.endsWith('hash nullable')),
  );
  const normal = (fields: string[]) =>
    fields
      .map(field => (keys.has(`${field} nullable`) || keys.has(field) ? field.split(' ')[0] : field))
      .sort();
  assert.deepEqual(normal(sqlite), normal(await fieldsOf({ dialect: 'postgres', url })));
});
