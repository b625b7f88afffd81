import { PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { databaseAway } from './away.ts';

const INT8 = 20;
const CONNECTIONS = 10;
const TIMEOUTS = {
  /** For a connection, a new one or one that another request has, milliseconds. */
  connect: 5_000,
  /** Our queries take milliseconds: a server that is silent for this long is away, though its connection may stand. */
  query: 10_000,
};
/** For the server to say goodbye. */
const END_TIMEOUT = 2_000;

/**
 * SQLSTATE classes of a server that cannot work just now (PostgreSQL, appendix A): connection exceptions, lost races, no resources,
 * intervention by an operator, errors of the system; and `25006`, a server that became a standby.
 */
const AWAY = /^(?:08|40|53|57|58|25006)/;

export interface Postgres {
  readonly dialect: PostgresDialect;
  /** While the work runs no query is given up. */
  unhurried<T>(work: () => Promise<T>): Promise<T>;
}

/** PostgreSQL; `bigint` columns hold epoch milliseconds and counts, which a JavaScript number carries exactly. */
export function openPostgres(url: string, timeouts = TIMEOUTS): Postgres {
  const types = {
    getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
      oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
  };
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: timeouts.connect,
    keepAlive: true,
    types,
  });
  // An idle connection that dies is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => {});
  // So would one that dies between two queries of a transaction: the second will say so.
  pool.on('connect', client => client.on('error', () => {}));
  let patient = 0;

  const telling: PostgresPool = {
    options: pool.options,
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw databaseAway(error);
      });
      return tellingClient(client, () => (patient > 0 ? 0 : timeouts.query));
    },
    end: () =>
      Promise.race([pool.end(), new Promise<void>(resolve => setTimeout(resolve, END_TIMEOUT).unref())]),
  };
  return {
    dialect: new PostgresDialect({ pool: telling }),
    async unhurried(work) {
      patient += 1;
      try {
        return await work();
      } finally {
        patient -= 1;
      }
    },
  };
}

/** A connection whose failures are told apart from what is wrong with a query, and that nobody gets again after one. */
function tellingClient(client: pg.PoolClient, timeout: () => number): PostgresPoolClient {
  let broken = false;
  async function query(text: string, values: readonly unknown[]): Promise<unknown> {
    try {
      // The driver reads the timeout of a single query, 0 for none; its types do not have it.
      const asked = { text, values: [...values], query_timeout: timeout() };
      return await client.query(asked);
    } catch (error) {
      if (error instanceof pg.DatabaseError) throw AWAY.test(error.code ?? '') ? databaseAway(error) : error;
      // Not the server's word: a line that broke, or a silence in which the answer to this query may yet come.
      broken = true;
      throw databaseAway(error);
    }
  }
  return {
    query: query as PostgresPoolClient['query'],
    release: discard => client.release(discard === true || broken),
  };
}
