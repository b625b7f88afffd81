import type { ExpressionOrFactory, SqlBool } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';
import type { Tables } from '../platform/db/schema.ts';

/** A terminal that was made through this gateway. */
export interface Terminal {
  readonly upstreamId: string;
  readonly id: string;
  readonly userId: string;
  /** What the call that made it carried; an attachment has to carry the same. */
  readonly sessionId: string | null;
  readonly contextId: string | null;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

interface Row {
  upstream_id: string;
  terminal_id: string;
  user_id: string;
  session_id: string | null;
  context_id: string | null;
  created_at: number;
}

const COLUMNS = ['upstream_id', 'terminal_id', 'user_id', 'session_id', 'context_id', 'created_at'] as const;

const toTerminal = (row: Row): Terminal => ({
  upstreamId: row.upstream_id,
  id: row.terminal_id,
  userId: row.user_id,
  sessionId: row.session_id,
  contextId: row.context_id,
  createdAt: row.created_at,
});

/** Whose each terminal is. */
export function createTerminalStore(db: Db) {
  const one = (upstreamId: string, id: string) =>
    db
      .selectFrom('terminals')
      .select(COLUMNS)
      .where('upstream_id', '=', upstreamId)
      .where('terminal_id', '=', id);

  async function count(which: ExpressionOrFactory<Tables, 'terminals', SqlBool>): Promise<number> {
    const { many } = await db
      .selectFrom('terminals')
      .select(eb => eb.fn.countAll<number | string>().as('many'))
      .where(which)
      .executeTakeFirstOrThrow();
    return Number(many);
  }

  return {
    /** @returns false when it is another user's */
    async add(terminal: Omit<Terminal, 'createdAt'>): Promise<boolean> {
      const { upstreamId, id, userId, sessionId, contextId } = terminal;
      await db
        .insertInto('terminals')
        .values({
          upstream_id: upstreamId,
          terminal_id: id,
          user_id: userId,
          session_id: sessionId,
          context_id: contextId,
          created_at: dbNow,
          seen_at: dbNow,
        })
        .onConflict(conflict =>
          conflict
            .columns(['upstream_id', 'terminal_id'])
            .doUpdateSet({ session_id: sessionId, context_id: contextId, created_at: dbNow, seen_at: dbNow })
            .where('terminals.user_id', '=', userId),
        )
        .execute();
      return (await one(upstreamId, id).executeTakeFirst())?.user_id === userId;
    },

    async find(upstreamId: string, id: string): Promise<Terminal | null> {
      const row = await one(upstreamId, id).executeTakeFirst();
      return row === undefined ? null : toTerminal(row);
    },

    /** One user's terminals at a server, the oldest first. */
    async of(upstreamId: string, userId: string): Promise<Terminal[]> {
      const rows = await db
        .selectFrom('terminals')
        .select(COLUMNS)
        .where('upstream_id', '=', upstreamId)
        .where('user_id', '=', userId)
        .orderBy('created_at')
        .orderBy('terminal_id')
        .execute();
      return rows.map(toTerminal);
    },

    /** How many there are at a server, whoever made them. */
    countAt: (upstreamId: string): Promise<number> => count(eb => eb('upstream_id', '=', upstreamId)),

    /** How many are one user's, wherever they are. */
    countOf: (userId: string): Promise<number> => count(eb => eb('user_id', '=', userId)),

    /** Whether another user's terminal at this server is called so, or was made in a session of this name. */
    async isAnothers(upstreamId: string, session: string, userId: string): Promise<boolean> {
      const row = await db
        .selectFrom('terminals')
        .select('terminal_id')
        .where('upstream_id', '=', upstreamId)
        .where('user_id', '!=', userId)
        .where(eb => eb.or([eb('terminal_id', '=', session), eb('session_id', '=', session)]))
        .executeTakeFirst();
      return row !== undefined;
    },

    /** Somebody is attached to each of these, in this process. */
    async touch(terminals: readonly Pick<Terminal, 'upstreamId' | 'id'>[]): Promise<void> {
      for (const { upstreamId, id } of terminals)
        await db
          .updateTable('terminals')
          .set({ seen_at: dbNow })
          .where('upstream_id', '=', upstreamId)
          .where('terminal_id', '=', id)
          .execute();
    },

    /** Those that nobody was attached to for so long, milliseconds, and for how long exactly; the longest first. */
    async idle(least: number): Promise<(Terminal & { readonly idle: number })[]> {
      const rows = await db
        .selectFrom('terminals')
        .select(COLUMNS)
        .select(eb => eb(dbNow, '-', eb.ref('seen_at')).as('idle'))
        .where(eb => eb('seen_at', '<=', eb(dbNow, '-', least)))
        .orderBy('seen_at')
        .limit(100)
        .execute();
      return rows.map(row => ({ ...toTerminal(row), idle: Number(row.idle) }));
    },

    async remove(upstreamId: string, id: string): Promise<void> {
      await db
        .deleteFrom('terminals')
        .where('upstream_id', '=', upstreamId)
        .where('terminal_id', '=', id)
        .execute();
    },
  };
}

export type TerminalStore = ReturnType<typeof createTerminalStore>;
