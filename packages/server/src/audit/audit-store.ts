import { type CompiledQuery, sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';
import { AUDIT_ACTIONS, type AuditEvent } from '../terms/audit.ts';

/** An event with the id and time it was given when it happened. */
export interface TimedEvent extends AuditEvent {
  readonly id: string;
  readonly at: number;
}

/** An event as it is read again. */
export interface StoredEvent {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly action: string;
  readonly userId: string | null;
  /** Their name, else their address, as the gateway knows them now. */
  readonly userLabel: string | null;
  readonly credentialId: string | null;
  readonly address: string | null;
  readonly target: string | null;
  readonly detail: Record<string, string | number | boolean | null>;
}

export interface AuditQuery {
  /** `key.create`; `key.*` for all of that beginning. */
  readonly action?: string | undefined;
  /** Id or email address of who acted. */
  readonly user?: string | undefined;
  /** Which credential was shown. */
  readonly credential?: string | undefined;
  readonly target?: string | undefined;
  /** Epoch milliseconds, the first inclusive, the second not. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Only what comes after this event in the order of the list. */
  readonly after?: Pick<StoredEvent, 'at' | 'id'> | undefined;
  readonly limit: number;
}

const COLUMNS = ['id', 'at', 'action', 'user_id', 'credential_id', 'address', 'target', 'detail'] as const;
/** How many rows a statement has room for. A few statements, each prepared once, write any number of events: what is left empty costs next to nothing. */
const ROOM = [2, 8, 32, 128, 512];
/** So many at most are written at once, and by one statement. */
export const MOST_AT_ONCE = ROOM.at(-1)!;

/** What programs do, not people. */
const BY_THE_THOUSAND = new Set<string>(['credential.use', 'token.release', 'tool.call']);
const BY_PEOPLE = AUDIT_ACTIONS.filter(action => !BY_THE_THOUSAND.has(action));

export function createAuditStore(db: Db) {
  const compiled = new Map<number, CompiledQuery>();

  function insertionOf(events: readonly TimedEvent[]): CompiledQuery {
    const rows = ROOM.find(room => room >= events.length)!;
    let query = compiled.get(rows);
    if (query === undefined) compiled.set(rows, (query = insertion(rows).compile(db)));
    const parameters: unknown[] = [];
    for (const { id, at, action, userId, credentialId, address, target = null, detail = {} } of events)
      parameters.push(id, at, action, userId, credentialId, address, target, JSON.stringify(detail));
    while (parameters.length < rows * COLUMNS.length) parameters.push(null);
    return { ...query, parameters };
  }

  function newestOf(query: AuditQuery, action: string | null) {
    const { user, credential, target, from, to, after } = query;
    let events = db
      .selectFrom('audit_events')
      .selectAll()
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(query.limit);
    if (action !== null) events = events.where('action', '=', action);
    if (credential !== undefined) events = events.where('credential_id', '=', credential);
    if (target !== undefined) events = events.where('target', '=', target);
    if (from !== undefined) events = events.where('at', '>=', from);
    if (to !== undefined) events = events.where('at', '<', to);
    if (user?.includes('@'))
      events = events.where('user_id', 'in', eb =>
        eb.selectFrom('users').select('users.id').where('users.email', '=', user.toLowerCase()),
      );
    else if (user !== undefined) events = events.where('user_id', '=', user);
    if (after === undefined) return events;
    return (
      events
        // Alone it says nothing more; it is what an index can find its place by.
        .where('at', '<=', after.at)
        .where(eb => eb.or([eb('at', '<', after.at), eb('id', '<', after.id)]))
    );
  }

  /** Each action by its own index, in order, and no further than the limit; a list of actions would be sorted, or gone through, whole. */
  function newestOfEach(query: AuditQuery, actions: readonly (string | null)[]) {
    const [first, ...others] = actions.map(one => db.selectFrom(newestOf(query, one).as('part')).selectAll());
    return others.reduce((all, one) => all.unionAll(one), first!);
  }

  return {
    async insert(events: readonly TimedEvent[]): Promise<void> {
      for (let at = 0; at < events.length; at += MOST_AT_ONCE)
        await db.executeQuery(insertionOf(events.slice(at, at + MOST_AT_ONCE)));
    },

    /** Newest first. */
    async list(query: AuditQuery): Promise<StoredEvent[]> {
      const { action } = query;
      const found = newestOfEach(query, action === undefined ? [null] : actionsOf(action));
      const events = db
        .selectFrom(found.as('event'))
        .leftJoin('users', 'users.id', 'event.user_id')
        .selectAll('event')
        .select(['users.name as user_name', 'users.email as user_email'])
        .orderBy('event.at', 'desc')
        .orderBy('event.id', 'desc')
        .limit(query.limit);
      return (await events.execute()).map(row => ({
        id: row.id,
        at: row.at,
        action: row.action,
        userId: row.user_id,
        userLabel: row.user_name ?? row.user_email,
        credentialId: row.credential_id,
        address: row.address,
        target: row.target,
        detail: JSON.parse(row.detail) as StoredEvent['detail'],
      }));
    },

    /** What people did since; not what their programs do by the thousand. Newest first, 200 at most. @param from epoch milliseconds */
    async since(
      from: number,
    ): Promise<Pick<StoredEvent, 'id' | 'action' | 'userId' | 'target' | 'detail'>[]> {
      const limit = 200;
      const rows = await db
        .selectFrom(newestOfEach({ from, limit }, BY_PEOPLE).as('event'))
        .select(['id', 'action', 'user_id', 'target', 'detail'])
        .orderBy('at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ user_id: userId, detail, ...row }) => ({
        ...row,
        userId,
        detail: JSON.parse(detail) as StoredEvent['detail'],
      }));
    },

    /** The id of the newest of all; null where there is none. */
    async newest(): Promise<string | null> {
      const row = await db
        .selectFrom('audit_events')
        .select('id')
        .orderBy('at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.id ?? null;
    },

    /** Deletes the oldest of those that are older than `age` milliseconds, `most` at a time. @returns how many */
    async purge(age: number, most: number): Promise<number> {
      const result = await db
        .deleteFrom('audit_events')
        .where('id', 'in', eb =>
          eb
            .selectFrom('audit_events as old')
            .select('old.id')
            .where('old.at', '<', sql<number>`${dbNow} - ${age}`)
            .orderBy('old.at')
            .limit(most),
        )
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

/** The rows that have an id. Of parameters alone PostgreSQL would make text. */
function insertion(rows: number) {
  const row = sql`(${null}, cast(${null} as bigint), ${sql.join(COLUMNS.slice(2).map(() => null))})`;
  const columns = sql.join(COLUMNS.map(name => sql.ref(name)));
  return sql`insert into audit_events (${columns}) select * from (values ${sql.join(Array(rows).fill(row))}) as event where column1 is not null`;
}

/** Names, not a pattern: an index finds names, and each database has its own idea of how patterns compare. */
function actionsOf(wanted: string): readonly string[] {
  const named = wanted.endsWith('.*')
    ? AUDIT_ACTIONS.filter(action => action.startsWith(wanted.slice(0, -1)))
    : [];
  return named.length > 0 ? named : [wanted];
}

export type AuditStore = ReturnType<typeof createAuditStore>;
