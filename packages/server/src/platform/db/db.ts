import { Kysely, type RawBuilder, sql } from 'kysely';
import { openPostgres } from './postgres.ts';
import type { Tables } from './schema.ts';
import { openSqlite } from './sqlite.ts';

/** Where durable state lives. */
export type StoreUrl =
  | { readonly dialect: 'sqlite'; readonly path: string }
  | { readonly dialect: 'postgres'; readonly url: string };

export type Db = Kysely<Tables>;

/** An open database and what every store needs to know of it. */
export interface Database {
  readonly db: Db;
  readonly dialect: 'sqlite' | 'postgres';
  /** Runs work whose queries may take their time; any other is given up after some seconds, so that nothing hangs with the database. */
  unhurried<T>(work: () => Promise<T>): Promise<T>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The database's own clock, epoch milliseconds: the one clock that all replicas share. */
export const dbNow: RawBuilder<number> = sql<number>`now_ms()`;

/** Opens a database; migrations are run apart, see `migrate.ts`. */
export function openDatabase(store: StoreUrl, clock: { now(): number }): Database {
  const { dialect, unhurried } =
    store.dialect === 'postgres'
      ? openPostgres(store.url)
      : { dialect: openSqlite(store.path, clock), unhurried: <T>(work: () => Promise<T>) => work() };
  const db = new Kysely<Tables>({ dialect });
  return { db, dialect: store.dialect, unhurried, [Symbol.asyncDispose]: () => db.destroy() };
}
