import { newId } from '../platform/crypto.ts';
import { type Db, dbNow } from '../platform/db/db.ts';
import type { Runtime } from '../platform/runtime.ts';
import { LOCAL_ISSUER } from './user-store.ts';

/** How one person signs in here. */
export interface LocalAccount {
  readonly userId: string;
  /** Lower case. */
  readonly email: string;
  readonly passwordHash: string;
  /** Epoch milliseconds. */
  readonly changedAt: number;
  readonly name: string | null;
  readonly disabled: boolean;
}

export interface NewLocalAccount {
  readonly email: string;
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly admin: boolean;
  readonly passwordHash: string;
}

export function createLocalAccountStore(db: Db, runtime: Pick<Runtime, 'random'>) {
  const accounts = () =>
    db
      .selectFrom('local_accounts as account')
      .innerJoin('users', 'users.id', 'account.user_id')
      .select([
        'account.user_id',
        'account.email',
        'account.password_hash',
        'account.changed_at',
        'users.name',
        'users.disabled_at',
      ]);

  const toAccount = (
    row: Awaited<ReturnType<ReturnType<typeof accounts>['executeTakeFirst']>>,
  ): LocalAccount | null =>
    row === undefined
      ? null
      : {
          userId: row.user_id,
          email: row.email,
          passwordHash: row.password_hash,
          changedAt: row.changed_at,
          name: row.name,
          disabled: row.disabled_at !== null,
        };

  /** Those who have an address, and whether they have a way to sign in. */
  async function holders(tx: Db, email: string): Promise<{ id: string; claimed: boolean }[]> {
    const rows = await tx
      .selectFrom('users')
      .leftJoin('identities', 'identities.user_id', 'users.id')
      .select(['users.id', 'identities.user_id as claimed_by'])
      .distinct()
      .where('users.email', '=', email.toLowerCase())
      .execute();
    return rows.map(row => ({ id: row.id, claimed: row.claimed_by !== null }));
  }

  return {
    byEmail: async (email: string) =>
      toAccount(await accounts().where('account.email', '=', email.toLowerCase()).executeTakeFirst()),

    of: async (userId: string) =>
      toAccount(await accounts().where('account.user_id', '=', userId).executeTakeFirst()),

    /** Whether somebody already signs in who has this address, here or at a provider. @param except a user who may */
    async isTaken(email: string, except: string | null = null): Promise<boolean> {
      return (await holders(db, email)).some(({ id, claimed }) => claimed && id !== except);
    },

    /**
     * Makes an account, within a transaction of the caller. It joins a user who was made ahead with this address and whom nobody is yet, and
     * never one who signs in in another way: that would merge two identities on an admin's word for one of them.
     * @returns the user's id; null when the address is taken
     */
    async create(tx: Db, wanted: NewLocalAccount): Promise<{ userId: string; isNew: boolean } | null> {
      const email = wanted.email.toLowerCase();
      const known = await holders(tx, email);
      if (known.some(({ claimed }) => claimed)) return null;
      const joined = known[0]?.id;
      const userId = joined ?? newId(runtime, 'usr');
      const said = {
        ...(wanted.name === null ? {} : { name: wanted.name }),
        groups: JSON.stringify(wanted.groups),
        ...(wanted.admin ? { local_admin: 1 } : {}),
        seen_at: dbNow,
      };
      if (joined === undefined) {
        const blank = { name: null, claimed_admin: 0, local_admin: 0, created_at: dbNow };
        await tx
          .insertInto('users')
          .values({ id: userId, email, ...blank, ...said })
          .execute();
      } else await tx.updateTable('users').set(said).where('id', '=', userId).execute();
      // The identity is what keeps a provider that vouches for the same address from joining this user.
      await tx
        .insertInto('identities')
        .values({ issuer: LOCAL_ISSUER, subject: userId, user_id: userId, created_at: dbNow })
        .execute();
      await tx
        .insertInto('local_accounts')
        .values({ user_id: userId, email, password_hash: wanted.passwordHash, changed_at: dbNow })
        .execute();
      return { userId, isNew: joined === undefined };
    },

    /** A password for a user who is local and has none yet: the first admin. */
    async begin(userId: string, email: string, passwordHash: string): Promise<void> {
      await db.transaction().execute(async tx => {
        await tx
          .insertInto('local_accounts')
          .values({
            user_id: userId,
            email: email.toLowerCase(),
            password_hash: passwordHash,
            changed_at: dbNow,
          })
          .execute();
        await tx.updateTable('users').set({ email: email.toLowerCase() }).where('id', '=', userId).execute();
      });
    },

    /** Open links to a new password go with the old one. */
    async setPassword(userId: string, passwordHash: string, tx: Db = db): Promise<void> {
      await tx.deleteFrom('invitations').where('user_id', '=', userId).execute();
      await tx
        .updateTable('local_accounts')
        .set({ password_hash: passwordHash, changed_at: dbNow })
        .where('user_id', '=', userId)
        .execute();
    },

    /** The same password under another hash; nothing where it was changed meanwhile. */
    async rehash(userId: string, from: string, to: string): Promise<void> {
      await db
        .updateTable('local_accounts')
        .set({ password_hash: to })
        .where('user_id', '=', userId)
        .where('password_hash', '=', from)
        .execute();
    },
  };
}

export type LocalAccountStore = ReturnType<typeof createLocalAccountStore>;
