import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { sha256 } from '../crypto.ts';
import { AppError } from '../errors.ts';
import { PACKAGE_FOLDER } from '../package-folder.ts';
import type { Database } from './db.ts';

const ROOT = join(PACKAGE_FOLDER, 'migrations');
/** Any constant: names our lock among a PostgreSQL server's advisory locks. */
const LOCK = 0x5a11_9027;

interface Applied {
  name: string;
  checksum: string;
}

/**
 * Brings the database to this program's version, forward only, each file in one transaction. Several processes may start at once:
 * one migrates, the others wait.
 * @returns names of the files that were applied now
 * @throws AppError `config_invalid` when an applied file was changed afterwards, or the database is newer than the program
 */
export async function migrate(database: Database): Promise<string[]> {
  const files = await migrationFiles(database.dialect);
  return database.unhurried(() => apply(database, files));
}

function apply(database: Database, files: Awaited<ReturnType<typeof migrationFiles>>): Promise<string[]> {
  return database.db.transaction().execute(async tx => {
    if (database.dialect === 'postgres') await sql`select pg_advisory_xact_lock(${LOCK})`.execute(tx);
    await sql`create table if not exists migrations (name text primary key, checksum text not null)`.execute(
      tx,
    );
    const applied = (await sql<Applied>`select name, checksum from migrations`.execute(tx)).rows;
    refuseForeignHistory(applied, files);
    const done = new Set(applied.map(row => row.name));
    const missing = files.filter(file => !done.has(file.name));
    for (const file of missing) {
      for (const statement of statements(file.text)) await sql.raw(statement).execute(tx);
      await sql`insert into migrations (name, checksum) values (${file.name}, ${file.checksum})`.execute(tx);
    }
    return missing.map(file => file.name);
  });
}

/** What `migrate` would apply; changes nothing. */
export async function pendingMigrations(database: Database): Promise<string[]> {
  const files = await migrationFiles(database.dialect);
  const tables = await database.db.introspection.getTables();
  if (!tables.some(table => table.name === 'migrations')) return files.map(file => file.name);
  const applied = (await sql<Applied>`select name, checksum from migrations`.execute(database.db)).rows;
  refuseForeignHistory(applied, files);
  return without(applied, files);
}

/** What this program needs and the database, perhaps put back from a backup, does not have. One that is newer than the program is none of it. */
export async function missingMigrations(database: Database): Promise<string[]> {
  const applied = (await sql<Applied>`select name, checksum from migrations`.execute(database.db)).rows;
  return without(applied, await migrationFiles(database.dialect));
}

function without(applied: readonly Applied[], files: readonly { name: string }[]): string[] {
  const done = new Set(applied.map(row => row.name));
  return files.map(file => file.name).filter(name => !done.has(name));
}

async function migrationFiles(dialect: Database['dialect']) {
  const names = (await readdir(join(ROOT, dialect))).filter(name => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async name => {
      const text = await readFile(join(ROOT, dialect, name), 'utf8');
      return { name, text, checksum: sha256(text) };
    }),
  );
}

function refuseForeignHistory(applied: Applied[], files: { name: string; checksum: string }[]): void {
  for (const row of applied) {
    const file = files.find(candidate => candidate.name === row.name);
    if (file === undefined) {
      throw new AppError(
        'config_invalid',
        `The database was migrated by a newer Sallyport (${row.name}). Start that version, or restore a backup.`,
      );
    }
    if (file.checksum !== row.checksum) {
      throw new AppError(
        'config_invalid',
        `Migration ${row.name} was changed after it was applied. Migrations are immutable: restore the file.`,
      );
    }
  }
}

/** A semicolon at a line's end closes a statement; our files keep to that. */
function statements(text: string): string[] {
  return text
    .split(/;[ \t]*$/m)
    .map(statement => statement.trim())
    .filter(statement => statement !== '');
}
