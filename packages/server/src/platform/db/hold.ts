import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../errors.ts';
import type { StoreUrl } from './db.ts';

const BUSY = 5;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

/**
 * Makes this process the only server of a SQLite file until it is disposed of or the process ends, however it ends: the system takes back the
 * lock of a process that is no more, so none is ever stale. Commands that write to the file for a moment need no hold. PostgreSQL needs none.
 *
 * The lock is a write transaction that stays open on a file of its own beside the database (`…-lock`): others can still read in it who holds it.
 * @throws AppError `conflict` naming the holder
 */
export function holdStore(store: StoreUrl, clock: { now(): number }): Disposable {
  if (store.dialect !== 'sqlite' || store.path === ':memory:') return { [Symbol.dispose]() {} };
  const path = lockOf(store.path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Patience for another's first steps, and for a reader; a holder does not let go for as long as it serves.
  const lock = new DatabaseSync(path, { timeout: 200 });
  try {
    lock.exec('begin immediate');
    lock.exec(
      'create table if not exists holder (pid integer, host text, since integer); delete from holder',
    );
    lock.prepare('insert into holder values (?, ?, ?)').run(process.pid, hostname(), Math.floor(clock.now()));
    lock.exec('commit; begin immediate');
  } catch (error) {
    const refusal =
      (error as { errcode?: number }).errcode === BUSY ? heldBy(holderIn(lock), store.path) : error;
    lock.close();
    throw refusal;
  }
  return { [Symbol.dispose]: () => lock.close() };
}

/** The same for every name that leads to the file. */
function lockOf(path: string): string {
  const file = existsSync(path) ? realpathSync(path) : path;
  const folder = dirname(file);
  return join(existsSync(folder) ? realpathSync(folder) : folder, `${basename(file)}-lock`);
}

function holderIn(lock: DatabaseSync): Holder | undefined {
  try {
    return lock.prepare('select pid, host, since from holder').get() as Holder | undefined;
  } catch {
    return undefined;
  }
}

function heldBy(holder: Holder | undefined, path: string): AppError {
  const who =
    holder === undefined
      ? 'Another Sallyport'
      : `Another Sallyport (process ${holder.pid} on ${holder.host}, since ${new Date(holder.since).toISOString()})`;
  return new AppError(
    'conflict',
    `${who} serves the SQLite file ${path}. Stop that one first, or give this one a file of its own with --store; ` +
      'several servers of one database need PostgreSQL (store: postgres://…).',
  );
}
