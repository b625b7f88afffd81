import { sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';

export function createAdminLinkStore(db: Db) {
  return {
    /** The new link is the only one: those printed before stop working. */
    async replace(hash: string, lifetime: number): Promise<void> {
      await db.transaction().execute(async tx => {
        await tx.deleteFrom('admin_links').execute();
        const expires_at = sql<number>`${dbNow} + ${lifetime}`;
        await tx
          .insertInto('admin_links')
          .values({ hash, created_at: dbNow, expires_at, used_at: null })
          .execute();
      });
    },

    /** @returns true for exactly one of all who use it */
    async use(hash: string): Promise<boolean> {
      const result = await db
        .updateTable('admin_links')
        .set({ used_at: dbNow })
        .where('hash', '=', hash)
        .where('used_at', 'is', null)
        .where('expires_at', '>', dbNow)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
  };
}

export type AdminLinkStore = ReturnType<typeof createAdminLinkStore>;
