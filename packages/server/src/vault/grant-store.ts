import { type Selectable, sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';
import type { Tables } from '../platform/db/schema.ts';
import type { Grant, GrantState } from './grant.ts';

/** What a new version of a grant consists of. */
export interface NewVersion {
  readonly envelope: string;
  /** Of the key that sealed it. */
  readonly kid: string;
  readonly scope: string;
  /** Milliseconds that the access token lives. */
  readonly lifetime: number;
  readonly hasRefreshToken: boolean;
}

export interface NewGrantRow extends NewVersion {
  readonly id: string;
  readonly userId: string;
  readonly provider: string;
  readonly subject: string;
  readonly kind: 'sign-in';
}

/**
 * Grants as rows. Every change is one statement that happens wholly or, when somebody was faster, not at all; all times are the
 * database's.
 */
export function createGrantStore(db: Db) {
  const select = () => db.selectFrom('grants').selectAll().select(dbNow.as('now'));
  const update = () => db.updateTable('grants');
  const free = { attempt: null, attempt_deadline: null };

  return {
    async insert(grant: NewGrantRow): Promise<void> {
      await db
        .insertInto('grants')
        .values({
          id: grant.id,
          user_id: grant.userId,
          provider: grant.provider,
          subject: grant.subject,
          kind: grant.kind,
          version: 1,
          state: 'idle',
          ...contentOf(grant),
          expires_at: sql<number>`${dbNow} + ${grant.lifetime}`,
          obtained_at: dbNow,
          used_at: dbNow,
          created_at: dbNow,
        })
        .execute();
    },

    async read(id: string): Promise<Grant | null> {
      const row = await select().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toGrant(row);
    },

    /** The user's newest sign-in, of one provider or of any; one that can still be used before all that cannot. */
    async newest(userId: string, provider: string | null): Promise<{ id: string } | null> {
      const spent = sql`case when state = 'reauth_required' or (has_refresh_token = 0 and expires_at <= ${dbNow}) then 1 else 0 end`;
      let query = db
        .selectFrom('grants')
        .select('id')
        .where('user_id', '=', userId)
        .where('kind', '=', 'sign-in');
      if (provider !== null) query = query.where('provider', '=', provider);
      const row = await query
        .orderBy(spent)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(1)
        .executeTakeFirst();
      return row ?? null;
    },

    async ofUser(userId: string): Promise<Grant[]> {
      const rows = await select()
        .where('user_id', '=', userId)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(toGrant);
    },

    /** Grants in use whose access token ends soon, the soonest first. */
    async due(options: { within: number; usedWithin: number; limit: number }): Promise<Grant[]> {
      const rows = await select()
        .where('state', '=', 'idle')
        .where('has_refresh_token', '=', 1)
        .where('expires_at', '<=', sql<number>`${dbNow} + ${options.within}`)
        .where('used_at', '>', sql<number>`${dbNow} - ${options.usedWithin}`)
        .where('retry_at', '<=', dbNow)
        .orderBy('expires_at')
        .limit(options.limit)
        .execute();
      return rows.map(toGrant);
    },

    /**
     * Takes an idle grant of this version that may be tried, or one whose former attempt (`over`) let its deadline pass.
     * @returns when, by the database's clock; null when somebody was faster
     */
    async claim(claim: {
      id: string;
      version: number;
      over: string | null;
      attempt: string;
      /** Milliseconds that it holds. */
      hold: number;
    }): Promise<number | null> {
      let query = update()
        .set({
          state: 'redeeming',
          attempt: claim.attempt,
          attempt_deadline: sql<number>`${dbNow} + ${claim.hold}`,
        })
        .where('id', '=', claim.id)
        .where('version', '=', claim.version);
      query =
        claim.over === null
          ? query.where('state', '=', 'idle').where('retry_at', '<=', dbNow)
          : query
              .where('state', '=', 'redeeming')
              .where('attempt', '=', claim.over)
              .where('attempt_deadline', '<=', dbNow);
      const row = await query.returning(dbNow.as('now')).executeTakeFirst();
      return row?.now ?? null;
    },

    /**
     * Puts the successor of version `from` in its place, whoever holds the claim by now and even where the grant was given up: a received
     * successor is the one thing that cannot be had again.
     * @param obtainedAt when the request was about to be sent, by the database's clock: its token cannot be older than that
     */
    async commit(id: string, from: number, obtainedAt: number, next: NewVersion): Promise<boolean> {
      return happened(
        update()
          .set({
            ...contentOf(next),
            ...free,
            version: from + 1,
            state: 'idle',
            obtained_at: obtainedAt,
            expires_at: obtainedAt + next.lifetime,
            refreshed_at: dbNow,
            refresh_result: 'refreshed',
          })
          .where('id', '=', id)
          .where('version', '=', from),
      );
    },

    /** Gives a claim back after nothing was sent. */
    release(id: string, attempt: string): Promise<boolean> {
      return happened(
        update()
          .set({ ...free, state: 'idle' })
          .where('id', '=', id)
          .where('attempt', '=', attempt),
      );
    },

    /**
     * Gives a claim back after the provider failed. `underway`: the request may still reach it, so nobody may send the refresh token
     * again before the claim's deadline.
     */
    releaseFailed(
      id: string,
      attempt: string,
      failure: { reason: string; backoff: number; underway: boolean },
    ): Promise<boolean> {
      const after = sql<number>`${dbNow} + ${failure.backoff}`;
      const retryAt = failure.underway
        ? sql<number>`case when attempt_deadline > ${after} then attempt_deadline else ${after} end`
        : after;
      return happened(
        update()
          .set({
            ...free,
            state: 'idle',
            retry_at: retryAt,
            failures: sql<number>`failures + 1`,
            refreshed_at: dbNow,
            refresh_result: failure.reason,
          })
          .where('id', '=', id)
          .where('attempt', '=', attempt),
      );
    },

    /** The provider refused this version's refresh token, and this attempt still holds the claim on it. */
    markReauth(id: string, version: number, attempt: string): Promise<boolean> {
      return happened(
        update()
          .set({ ...free, state: 'reauth_required', refreshed_at: dbNow, refresh_result: 'invalid_grant' })
          .where('id', '=', id)
          .where('version', '=', version)
          .where('state', '=', 'redeeming')
          .where('attempt', '=', attempt),
      );
    },

    /** Notes that the grant is in use. */
    async touch(id: string): Promise<void> {
      await update().set({ used_at: dbNow }).where('id', '=', id).execute();
    },

    /** @returns what was deleted, for its provider to be told */
    async delete(id: string): Promise<Grant | null> {
      const row = await db
        .deleteFrom('grants')
        .where('id', '=', id)
        .returningAll()
        .returning(dbNow.as('now'))
        .executeTakeFirst();
      return row === undefined ? null : toGrant(row);
    },

    /** @returns what was deleted, for the provider to be told */
    async deleteAt(provider: string): Promise<Grant[]> {
      const rows = await db
        .deleteFrom('grants')
        .where('provider', '=', provider)
        .returningAll()
        .returning(dbNow.as('now'))
        .execute();
      return rows.map(toGrant);
    },

    async countAt(provider: string): Promise<number> {
      const { count } = await db
        .selectFrom('grants')
        .select(eb => eb.fn.countAll<number | string>().as('count'))
        .where('provider', '=', provider)
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    /** Deletes grants that can no longer be used, that no session was born with, and that nobody asked for in `unusedFor` ms. */
    async purge(unusedFor: number): Promise<Pick<Grant, 'id' | 'userId' | 'provider'>[]> {
      const rows = await db
        .deleteFrom('grants')
        .where('used_at', '<', sql<number>`${dbNow} - ${unusedFor}`)
        .where(eb =>
          eb.or([
            eb('state', '=', 'reauth_required'),
            eb.and([eb('has_refresh_token', '=', 0), eb('expires_at', '<=', dbNow)]),
          ]),
        )
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('sessions').select(sql`1`.as('one')).whereRef('sessions.grant_id', '=', 'grants.id'),
            ),
          ),
        )
        .returning(['id', 'user_id', 'provider'])
        .execute();
      return rows.map(row => ({ id: row.id, userId: row.user_id, provider: row.provider }));
    },

    /** Grants with an id after `after` that another key than `kid` sealed. */
    async sealedOtherwise(kid: string, after: string, limit: number): Promise<Grant[]> {
      const rows = await select()
        .where('kid', '!=', kid)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toGrant);
    },

    /** The same version under another key, unless it was changed meanwhile. */
    reseal(grant: Grant, envelope: string, kid: string): Promise<boolean> {
      return happened(
        update()
          .set({ envelope, kid })
          .where('id', '=', grant.id)
          .where('version', '=', grant.version)
          .where('envelope', '=', grant.envelope),
      );
    },

    /** How many there are of each state. */
    async states(): Promise<ReadonlyMap<GrantState, number>> {
      const rows = await db
        .selectFrom('grants')
        .select(['state', eb => eb.fn.countAll<number | string>().as('count')])
        .groupBy('state')
        .execute();
      return new Map(rows.map(({ state, count }) => [state as GrantState, Number(count)]));
    },

    /** The keys that stored grants need, and how many need each. */
    async kids(): Promise<{ kid: string; count: number }[]> {
      const rows = await db
        .selectFrom('grants')
        .select(['kid', eb => eb.fn.countAll<number | string>().as('count')])
        .groupBy('kid')
        .execute();
      return rows.map(({ kid, count }) => ({ kid, count: Number(count) }));
    },
  };
}

export type GrantStore = ReturnType<typeof createGrantStore>;

type Row = Selectable<Tables['grants']> & { now: number };

const contentOf = (version: NewVersion) => ({
  envelope: version.envelope,
  kid: version.kid,
  scope: version.scope,
  has_refresh_token: version.hasRefreshToken ? 1 : 0,
  failures: 0,
  retry_at: 0,
});

async function happened(query: {
  executeTakeFirst(): Promise<{ numUpdatedRows: bigint }>;
}): Promise<boolean> {
  return (await query.executeTakeFirst()).numUpdatedRows > 0n;
}

const toGrant = (row: Row): Grant => ({
  id: row.id,
  userId: row.user_id,
  provider: row.provider,
  subject: row.subject,
  version: row.version,
  state: row.state as GrantState,
  attempt: row.attempt,
  attemptDeadline: row.attempt_deadline,
  envelope: row.envelope,
  scope: row.scope,
  expiresAt: row.expires_at,
  obtainedAt: row.obtained_at,
  hasRefreshToken: row.has_refresh_token === 1,
  failures: row.failures,
  retryAt: row.retry_at,
  refreshedAt: row.refreshed_at,
  refreshResult: row.refresh_result,
  usedAt: row.used_at,
  createdAt: row.created_at,
  now: row.now,
});
