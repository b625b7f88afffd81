import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { CompiledQuery, SqliteDialect, type SqliteStatement } from 'kysely';
import { databaseAway } from './away.ts';

/** Takes the write lock at once: a read that later turns into a write would fail when the command line wrote in between. */
class ImmediateSqliteDialect extends SqliteDialect {
  override createDriver() {
    const driver = super.createDriver();
    driver.beginTransaction = async connection => {
      await connection.executeQuery(CompiledQuery.raw('begin immediate'));
    };
    return driver;
  }
}

/**
 * SQLite through `node:sqlite`: WAL, every commit on disk before it is answered (a lost refresh token cannot be had again), foreign keys, five seconds of patience for a lock, and `now_ms()` from the injected
 * clock, so that a test owns the database's time too.
 */
export function openSqlite(path: string, clock: { now(): number }): SqliteDialect {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true });
  database.exec('pragma journal_mode = wal; pragma synchronous = full');
  database.function('now_ms', () => Math.floor(clock.now()));
  const prepared = new Map<string, SqliteStatement>();
  return new ImmediateSqliteDialect({
    database: {
      close: () => {
        prepared.clear();
        database.close();
      },
      prepare(text) {
        let statement = prepared.get(text);
        if (statement === undefined) {
          statement = adapt(database.prepare(text));
          // Queries of ours are few; a caller that builds endless different ones must not grow this without bound.
          if (prepared.size < 500) prepared.set(text, statement);
        }
        return statement;
      },
    },
  });
}

/** SQLite's result codes for a file that cannot be worked with just now: busy, locked, read-only, I/O error, full, cannot open. */
const AWAY = new Set([5, 6, 8, 10, 13, 14]);

function told<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { errcode } = error as { errcode?: number };
    // The low byte is the code, the others say more of it (SQLite, extended result codes).
    throw errcode !== undefined && AWAY.has(errcode & 0xff) ? databaseAway(error) : error;
  }
}

function adapt(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: parameters => told(() => statement.all(...values(parameters))),
    run: parameters => told(() => statement.run(...values(parameters))),
    iterate: parameters => statement.iterate(...values(parameters)),
  };
}
