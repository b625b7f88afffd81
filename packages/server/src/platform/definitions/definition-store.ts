import type { Selectable, Transaction } from 'kysely';
import { type Db, dbNow } from '../db/db.ts';
import type { Tables } from '../db/schema.ts';

/** What admins define here, beside what the configuration file says. */
export type Defined = 'upstream' | 'provider';

/** One definition as it lies in the database. */
export interface StoredDefinition {
  readonly id: string;
  /** JSON object, without the secret. */
  readonly definition: string;
  /** The sealed secret; null where it has none. */
  readonly envelope: string | null;
  readonly kid: string | null;
  /** The revision that wrote it; no two definitions ever have the same. */
  readonly version: number;
}

/** What is written under a version that only the write itself knows. */
export type Written = Pick<StoredDefinition, 'definition' | 'envelope' | 'kid'>;

/** A sealed definition, as a rotation handles it. */
export type SealedDefinition = StoredDefinition & { readonly envelope: string };

/** The definitions of one kind as rows. Each change counts the revision up, which is how other processes notice it. */
export function createDefinitionStore(db: Db, what: Defined) {
  const rows = (within: Db | Transaction<Tables> = db) =>
    within.selectFrom('definitions').selectAll().where('what', '=', what);

  /** First in every change: it makes writers wait for each other, so that a lower revision never appears after a higher one. */
  async function countUp(tx: Transaction<Tables>): Promise<number> {
    const { revision } = await tx
      .updateTable('definition_revisions')
      .set(eb => ({ revision: eb('revision', '+', 1) }))
      .where('what', '=', what)
      .returning('revision')
      .executeTakeFirstOrThrow();
    return revision;
  }

  return {
    async revision(): Promise<number> {
      const row = await db
        .selectFrom('definition_revisions')
        .select('revision')
        .where('what', '=', what)
        .executeTakeFirstOrThrow();
      return row.revision;
    },

    /** In the order in which they were added. */
    async list(): Promise<StoredDefinition[]> {
      return (await rows().orderBy('created_at').orderBy('id').execute()).map(toDefinition);
    },

    /** @returns whether the id was free */
    insert(id: string, write: (version: number) => Written): Promise<boolean> {
      return db.transaction().execute(async tx => {
        const version = await countUp(tx);
        const result = await tx
          .insertInto('definitions')
          .values({ what, id, ...write(version), version, created_at: dbNow, changed_at: dbNow })
          .onConflict(conflict => conflict.columns(['what', 'id']).doNothing())
          .executeTakeFirst();
        return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
      });
    },

    /** @param write throws to change nothing. @returns whether there was one */
    update(id: string, write: (before: StoredDefinition, version: number) => Written): Promise<boolean> {
      return db.transaction().execute(async tx => {
        const version = await countUp(tx);
        const before = await rows(tx).where('id', '=', id).executeTakeFirst();
        if (before === undefined) return false;
        await tx
          .updateTable('definitions')
          .set({ ...write(toDefinition(before), version), version, changed_at: dbNow })
          .where('what', '=', what)
          .where('id', '=', id)
          .execute();
        return true;
      });
    },

    /** @returns whether there was one */
    remove(id: string): Promise<boolean> {
      return db.transaction().execute(async tx => {
        await countUp(tx);
        const result = await tx
          .deleteFrom('definitions')
          .where('what', '=', what)
          .where('id', '=', id)
          .executeTakeFirst();
        return result.numDeletedRows > 0n;
      });
    },

    async sealedOtherwise(kid: string, after: string, limit: number): Promise<SealedDefinition[]> {
      const found = await rows()
        .where('kid', '!=', kid)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return found.map(row => toDefinition(row) as SealedDefinition);
    },

    async reseal(before: SealedDefinition, envelope: string, kid: string): Promise<boolean> {
      const result = await db
        .updateTable('definitions')
        .set({ envelope, kid })
        .where('what', '=', what)
        .where('id', '=', before.id)
        .where('version', '=', before.version)
        .where('envelope', '=', before.envelope)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async kids(): Promise<{ kid: string; count: number }[]> {
      const found = await db
        .selectFrom('definitions')
        .select(['kid', eb => eb.fn.countAll<number | string>().as('count')])
        .where('what', '=', what)
        .where('kid', 'is not', null)
        .groupBy('kid')
        .execute();
      return found.map(({ kid, count }) => ({ kid: kid!, count: Number(count) }));
    },
  };
}

export type DefinitionStore = ReturnType<typeof createDefinitionStore>;

const toDefinition = (row: Selectable<Tables['definitions']>): StoredDefinition => ({
  id: row.id,
  definition: row.definition,
  envelope: row.envelope,
  kid: row.kid,
  version: row.version,
});
