import { sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';

/** An open link: to a new account, or (with `userId`) to a new password for one that is there. */
export interface Invitation {
  readonly id: string;
  readonly userId: string | null;
  readonly email: string;
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly admin: boolean;
  /** Null: from the command line. */
  readonly invitedBy: string | null;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export type NewInvitation = Omit<Invitation, 'createdAt' | 'expiresAt'> & { readonly hash: string };

interface Row {
  id: string;
  user_id: string | null;
  email: string;
  name: string | null;
  groups: string;
  admin: number;
  invited_by: string | null;
  created_at: number;
  expires_at: number;
}

const toInvitation = (row: Row): Invitation => ({
  id: row.id,
  userId: row.user_id,
  email: row.email,
  name: row.name,
  groups: JSON.parse(row.groups) as string[],
  admin: row.admin === 1,
  invitedBy: row.invited_by,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
});

export function createInvitationStore(db: Db) {
  /** Good only while whoever gave it may still give such: the link of an admin who was disabled, or is none any more, is worth nothing. */
  const open = (tx: Db = db) =>
    tx
      .selectFrom('invitations')
      .leftJoin('users as inviter', 'inviter.id', 'invitations.invited_by')
      .leftJoin('users as holder', 'holder.id', 'invitations.user_id')
      .selectAll('invitations')
      .where('invitations.expires_at', '>', dbNow)
      .where('holder.disabled_at', 'is', null)
      .where(eb =>
        eb.or([
          eb('invitations.invited_by', 'is', null),
          eb.and([
            eb('inviter.disabled_at', 'is', null),
            eb.or([eb('inviter.claimed_admin', '=', 1), eb('inviter.local_admin', '=', 1)]),
          ]),
        ]),
      );

  const byHash = async (hash: string, tx: Db = db): Promise<Invitation | null> => {
    const row = await open(tx).where('invitations.hash', '=', hash).executeTakeFirst();
    return row === undefined ? null : toInvitation(row);
  };

  return {
    byHash: (hash: string) => byHash(hash),

    /** The newest for an address, and for a user, is the only one. @returns how it is stored */
    async replace(invitation: NewInvitation, lifetime: number): Promise<Invitation> {
      return db.transaction().execute(async tx => {
        const older = tx.deleteFrom('invitations');
        await (invitation.userId === null
          ? older.where('email', '=', invitation.email).where('user_id', 'is', null)
          : older.where('user_id', '=', invitation.userId)
        ).execute();
        const row = await tx
          .insertInto('invitations')
          .values({
            id: invitation.id,
            hash: invitation.hash,
            user_id: invitation.userId,
            email: invitation.email,
            name: invitation.name,
            groups: JSON.stringify(invitation.groups),
            admin: invitation.admin ? 1 : 0,
            invited_by: invitation.invitedBy,
            created_at: dbNow,
            expires_at: sql<number>`${dbNow} + ${lifetime}`,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toInvitation(row);
      });
    },

    /** Open invitations to new accounts, newest first. */
    async list(): Promise<Invitation[]> {
      const rows = await open()
        .where('invitations.user_id', 'is', null)
        .orderBy('invitations.created_at', 'desc')
        .execute();
      return rows.map(toInvitation);
    },

    /** How many links a user gave that are still open. */
    async countBy(userId: string): Promise<number> {
      const row = await open()
        .clearSelect()
        .select(eb => eb.fn.countAll<number | string>().as('count'))
        .where('invitations.invited_by', '=', userId)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },

    /** @returns whether there was one */
    async revoke(id: string): Promise<boolean> {
      const result = await db.deleteFrom('invitations').where('id', '=', id).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    /**
     * Spends one, and does what it stands for in the same transaction: who comes second finds none, and when `act` throws it is as if nobody
     * had come.
     * @returns null when it is spent, withdrawn or over
     */
    async spend<T>(hash: string, act: (invitation: Invitation, tx: Db) => Promise<T>): Promise<T | null> {
      return db.transaction().execute(async tx => {
        const invitation = await byHash(hash, tx);
        const spent = await tx.deleteFrom('invitations').where('hash', '=', hash).executeTakeFirst();
        return invitation === null || spent.numDeletedRows === 0n ? null : act(invitation, tx);
      });
    },

    async purge(): Promise<number> {
      const result = await db.deleteFrom('invitations').where('expires_at', '<=', dbNow).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

export type InvitationStore = ReturnType<typeof createInvitationStore>;
