import { sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';

/** A gateway key as its owner sees it; the value itself is known to nobody after it was shown. */
export interface Key {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly admin: boolean;
  /** Upstream ids; null for all that the user may use. */
  readonly scope: readonly string[] | null;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly usedAt: number | null;
  readonly revokedAt: number | null;
}

interface Row {
  id: string;
  user_id: string;
  name: string;
  admin: number;
  scope: string | null;
  created_at: number;
  expires_at: number | null;
  used_at: number | null;
  revoked_at: number | null;
}

const COLUMNS = [
  'id',
  'user_id',
  'name',
  'admin',
  'scope',
  'created_at',
  'expires_at',
  'used_at',
  'revoked_at',
] as const;
/** How long a revoked key is still listed, milliseconds. */
const REMEMBERED = 30 * 24 * 60 * 60_000;
/** How exact "last used" is, milliseconds: a busy key costs one write in this time. */
const USED_EVERY = 60_000;

const toKey = (row: Row): Key => ({
  id: row.id,
  userId: row.user_id,
  name: row.name,
  admin: row.admin === 1,
  scope: row.scope === null ? null : (JSON.parse(row.scope) as string[]),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  usedAt: row.used_at,
  revokedAt: row.revoked_at,
});

/** Gateway keys; a revoked one stays as a row that opens nothing. */
export function createKeyStore(db: Db) {
  const live = () => db.selectFrom('keys').select(COLUMNS).where('revoked_at', 'is', null);

  return {
    async insert(key: Omit<Key, 'createdAt' | 'usedAt' | 'revokedAt'> & { hash: string }): Promise<void> {
      await db
        .insertInto('keys')
        .values({
          id: key.id,
          hash: key.hash,
          user_id: key.userId,
          name: key.name,
          admin: key.admin ? 1 : 0,
          scope: key.scope === null ? null : JSON.stringify(key.scope),
          created_at: dbNow,
          expires_at: key.expiresAt,
        })
        .execute();
    },

    /** Null for one that was revoked, too. */
    async get(id: string): Promise<Key | null> {
      const row = await live().where('id', '=', id).executeTakeFirst();
      return row ? toKey(row) : null;
    },

    /** The key that may be used now, and whether its last use was noted long ago. */
    async find(hash: string): Promise<{ key: Key; stale: boolean } | null> {
      const row = await live()
        .select(dbNow.as('now'))
        .where('hash', '=', hash)
        .where(sql<boolean>`(expires_at is null or expires_at > ${dbNow})`)
        .executeTakeFirst();
      if (row === undefined) return null;
      return { key: toKey(row), stale: row.used_at === null || row.now - row.used_at >= USED_EVERY };
    },

    async touch(id: string): Promise<void> {
      await db.updateTable('keys').set({ used_at: dbNow }).where('id', '=', id).execute();
    },

    /** Newest first, with those that expired, or were revoked within a month. */
    async list(userId: string): Promise<Key[]> {
      const rows = await db
        .selectFrom('keys')
        .select(COLUMNS)
        .where('user_id', '=', userId)
        .where(sql<boolean>`(revoked_at is null or revoked_at > ${dbNow} - ${REMEMBERED})`)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute();
      return rows.map(toKey);
    },

    /** Live keys that open this upstream and nothing else, each by its name and its owner's. */
    async limitedTo(upstreamId: string): Promise<string[]> {
      const rows = await db
        .selectFrom('keys')
        .innerJoin('users', 'users.id', 'keys.user_id')
        .select(['keys.name', 'keys.scope', 'users.email', 'users.id as user_id'])
        .where('keys.revoked_at', 'is', null)
        .where(sql<boolean>`(keys.expires_at is null or keys.expires_at > ${dbNow})`)
        .where('keys.scope', 'like', `%${JSON.stringify(upstreamId)}%`)
        .orderBy('keys.created_at')
        .execute();
      return rows
        .filter(({ scope }) => (JSON.parse(scope!) as string[]).every(id => id === upstreamId))
        .map(({ name, email, user_id }) => `${name} (${email ?? user_id})`);
    },

    /** @returns the key as it was, null when there is none to revoke */
    async revoke(id: string): Promise<Key | null> {
      const row = await db
        .updateTable('keys')
        .set({ revoked_at: dbNow })
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .returning(COLUMNS)
        .executeTakeFirst();
      return row ? toKey(row) : null;
    },
  };
}

export type KeyStore = ReturnType<typeof createKeyStore>;
