import { type RawBuilder, sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';

/** "Last seen" is this exact, milliseconds: a session in use costs one write in this time. */
const SEEN_EVERY = 60_000;

export interface NewSession {
  readonly id: string;
  readonly hash: string;
  readonly userId: string;
  readonly grantId: string | null;
  readonly provider: string | null;
  readonly providerSid: string | null;
  readonly subject: string | null;
  readonly address: string | null;
  readonly userAgent: string | null;
}

/** A live session with its user as the database has them now. */
export interface LiveSession {
  readonly id: string;
  readonly userId: string;
  readonly grantId: string | null;
  readonly provider: string | null;
  readonly email: string | null;
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly admin: boolean;
  readonly seenAt: number;
  /** Epoch milliseconds of the absolute limit. */
  readonly expiresAt: number;
}

export interface ListedSession {
  readonly id: string;
  readonly provider: string | null;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

/** A session that has just ended, and what it leaves to be ended. */
export interface EndedSession {
  readonly id: string;
  readonly userId: string;
  readonly grantId: string | null;
  readonly provider: string | null;
}

/** Which sessions a provider says are over (OIDC Back-Channel Logout 1.0 section 2.4). */
export interface ProviderSessions {
  readonly provider: string;
  readonly sid: string | null;
  readonly subject: string | null;
  /** Only sessions that began at or before this, epoch milliseconds. */
  readonly begunBy: number;
}

export function createSessionStore(db: Db, limits: { readonly idle: number; readonly absolute: number }) {
  const ago = (milliseconds: number): RawBuilder<number> => sql<number>`${dbNow} - ${milliseconds}`;

  const live = () =>
    db
      .selectFrom('sessions')
      .where('sessions.expires_at', '>', dbNow)
      .where('sessions.seen_at', '>', ago(limits.idle));

  const ended = (
    rows: { id: string; user_id: string; grant_id: string | null; provider: string | null }[],
  ): EndedSession[] =>
    rows.map(row => ({ id: row.id, userId: row.user_id, grantId: row.grant_id, provider: row.provider }));

  const ending = () => db.deleteFrom('sessions').returning(['id', 'user_id', 'grant_id', 'provider']);

  return {
    async insert(session: NewSession): Promise<void> {
      await db
        .insertInto('sessions')
        .values({
          id: session.id,
          hash: session.hash,
          user_id: session.userId,
          grant_id: session.grantId,
          provider: session.provider,
          provider_sid: session.providerSid,
          subject: session.subject,
          address: session.address,
          user_agent: session.userAgent,
          created_at: dbNow,
          seen_at: dbNow,
          expires_at: sql<number>`${dbNow} + ${limits.absolute}`,
        })
        .execute();
    },

    /** Null when there is none, it is over, or its user is disabled. */
    async find(hash: string): Promise<LiveSession | null> {
      const row = await live()
        .innerJoin('users', 'users.id', 'sessions.user_id')
        .select([
          'sessions.id',
          'sessions.user_id',
          'sessions.grant_id',
          'sessions.provider',
          'sessions.seen_at',
          'sessions.expires_at',
          'users.email',
          'users.name',
          'users.groups',
          'users.claimed_admin',
          'users.local_admin',
        ])
        .where('sessions.hash', '=', hash)
        .where('users.disabled_at', 'is', null)
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        id: row.id,
        userId: row.user_id,
        grantId: row.grant_id,
        provider: row.provider,
        email: row.email,
        name: row.name,
        groups: JSON.parse(row.groups) as string[],
        admin: row.claimed_admin === 1 || row.local_admin === 1,
        seenAt: row.seen_at,
        expiresAt: row.expires_at,
      };
    },

    /** Notes that the session is in use, at most once a minute whoever asks. */
    async touch(id: string): Promise<void> {
      await db
        .updateTable('sessions')
        .set({ seen_at: dbNow })
        .where('id', '=', id)
        .where('seen_at', '<=', ago(SEEN_EVERY))
        .execute();
    },

    async list(userId: string): Promise<ListedSession[]> {
      const rows = await live()
        .selectAll()
        .where('user_id', '=', userId)
        .orderBy('created_at', 'desc')
        .execute();
      return rows.map(row => ({
        id: row.id,
        provider: row.provider,
        address: row.address,
        userAgent: row.user_agent,
        createdAt: row.created_at,
        seenAt: row.seen_at,
        expiresAt: row.expires_at,
      }));
    },

    async isLive(id: string): Promise<boolean> {
      return (
        (await live().select('sessions.id').where('sessions.id', '=', id).executeTakeFirst()) !== undefined
      );
    },

    async end(id: string): Promise<EndedSession | null> {
      return ended(await ending().where('id', '=', id).execute())[0] ?? null;
    },

    async endByHash(hash: string): Promise<EndedSession | null> {
      return ended(await ending().where('hash', '=', hash).execute())[0] ?? null;
    },

    async endAllOf(userId: string, except = ''): Promise<EndedSession[]> {
      return ended(await ending().where('user_id', '=', userId).where('id', '!=', except).execute());
    },

    async endAllAt(provider: string): Promise<EndedSession[]> {
      return ended(await ending().where('provider', '=', provider).execute());
    },

    async countAt(provider: string): Promise<number> {
      const { count } = await live()
        .select(eb => eb.fn.countAll<number | string>().as('count'))
        .where('provider', '=', provider)
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    async endOfProvider(which: ProviderSessions): Promise<EndedSession[]> {
      if (which.sid === null && which.subject === null) return [];
      let query = ending().where('provider', '=', which.provider).where('created_at', '<=', which.begunBy);
      if (which.sid !== null) query = query.where('provider_sid', '=', which.sid);
      if (which.subject !== null) query = query.where('subject', '=', which.subject);
      return ended(await query.execute());
    },

    /** @returns those that were over and are gone now */
    async purge(): Promise<EndedSession[]> {
      return ended(
        await ending()
          .where(eb => eb.or([eb('expires_at', '<=', dbNow), eb('seen_at', '<=', ago(limits.idle))]))
          .execute(),
      );
    },
  };
}

export type SessionStore = ReturnType<typeof createSessionStore>;
