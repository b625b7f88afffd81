import { sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';

/** A login that an agent asked for, as its person sees it. */
export interface AgentLogin {
  readonly name: string;
  readonly address: string | null;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Logins that agents wait for; each is answered once and handed out once. */
export function createAgentLoginStore(db: Db) {
  const alive = sql<boolean>`expires_at > ${dbNow}`;
  return {
    async insert(login: {
      deviceHash: string;
      userCodeHash: string;
      name: string;
      address: string;
      lifetime: number;
    }): Promise<void> {
      await db
        .insertInto('agent_logins')
        .values({
          device_hash: login.deviceHash,
          user_code_hash: login.userCodeHash,
          name: login.name,
          address: login.address,
          state: 'waiting',
          created_at: dbNow,
          expires_at: sql<number>`${dbNow} + ${login.lifetime}`,
        })
        .execute();
    },

    async waiting(userCodeHash: string): Promise<AgentLogin | null> {
      const row = await db
        .selectFrom('agent_logins')
        .select(['name', 'address', 'expires_at'])
        .where('user_code_hash', '=', userCodeHash)
        .where('state', '=', 'waiting')
        .where(alive)
        .executeTakeFirst();
      return row === undefined ? null : { name: row.name, address: row.address, expiresAt: row.expires_at };
    },

    /** @returns whether there was one that waited */
    async answer(userCodeHash: string, userId: string, approve: boolean): Promise<boolean> {
      const result = await db
        .updateTable('agent_logins')
        .set({ state: approve ? 'approved' : 'denied', user_id: userId })
        .where('user_code_hash', '=', userCodeHash)
        .where('state', '=', 'waiting')
        .where(alive)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    /** How it stands; noting that it was asked. Null: there is none, or no more. @returns `sincePolled` milliseconds, null at first */
    async poll(deviceHash: string): Promise<{ state: string; sincePolled: number | null } | null> {
      const row = await db
        .selectFrom('agent_logins')
        .select(['state', 'polled_at', dbNow.as('now')])
        .where('device_hash', '=', deviceHash)
        .where(alive)
        .executeTakeFirst();
      if (row === undefined) return null;
      await db
        .updateTable('agent_logins')
        .set({ polled_at: dbNow })
        .where('device_hash', '=', deviceHash)
        .execute();
      return { state: row.state, sincePolled: row.polled_at === null ? null : row.now - row.polled_at };
    },

    /** Takes an approved one away. @returns who approved it; null when somebody took it before */
    async take(deviceHash: string): Promise<{ userId: string; name: string } | null> {
      const row = await db
        .deleteFrom('agent_logins')
        .where('device_hash', '=', deviceHash)
        .where('state', '=', 'approved')
        .where(alive)
        .returning(['user_id', 'name'])
        .executeTakeFirst();
      return row === undefined ? null : { userId: row.user_id!, name: row.name };
    },

    async purge(): Promise<void> {
      await db.deleteFrom('agent_logins').where(sql<boolean>`expires_at <= ${dbNow}`).execute();
    },
  };
}

export type AgentLoginStore = ReturnType<typeof createAgentLoginStore>;
