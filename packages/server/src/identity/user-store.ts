import { sql } from 'kysely';
import { newId } from '../platform/crypto.ts';
import { type Db, dbNow } from '../platform/db/db.ts';
import type { Runtime } from '../platform/runtime.ts';

/** The issuer of those who sign in here by themselves, with a password or by the first admin's link. */
export const LOCAL_ISSUER = 'sallyport:local';

export interface User {
  readonly id: string;
  readonly email: string | null;
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly admin: boolean;
  /** Whether they sign in here, and not at a provider. */
  readonly local: boolean;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly seenAt: number | null;
  readonly disabledAt: number | null;
}

/** What a provider or issuer says of a person. */
export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | null;
  /** Only a verified address may join an account that was made ahead by an admin, or be one that another user has. */
  readonly emailVerified: boolean;
  readonly name: string | null;
  /** Undefined leaves the stored groups as they are. */
  readonly groups?: readonly string[];
  /** Undefined leaves what the last claim said. */
  readonly admin?: boolean;
}

interface Row {
  id: string;
  email: string | null;
  name: string | null;
  groups: string;
  claimed_admin: number;
  local_admin: number;
  /** 0 and 1 in SQLite. */
  local: boolean | number;
  created_at: number;
  seen_at: number | null;
  disabled_at: number | null;
}

const toUser = (row: Row): User => ({
  id: row.id,
  email: row.email,
  name: row.name,
  groups: JSON.parse(row.groups) as string[],
  admin: row.claimed_admin === 1 || row.local_admin === 1,
  local: Boolean(row.local),
  createdAt: row.created_at,
  seenAt: row.seen_at,
  disabledAt: row.disabled_at,
});

export function createUserStore(db: Db, runtime: Pick<Runtime, 'random'>) {
  async function insert(tx: Db, values: { email: string | null; name: string | null }): Promise<string> {
    const id = newId(runtime, 'usr');
    await tx
      .insertInto('users')
      .values({
        id,
        email: values.email?.toLowerCase() ?? null,
        name: values.name,
        groups: '[]',
        claimed_admin: 0,
        local_admin: 0,
        created_at: dbNow,
      })
      .execute();
    return id;
  }

  const everybody = (tx: Db = db) =>
    tx
      .selectFrom('users')
      .selectAll('users')
      .select(({ exists, selectFrom }) =>
        exists(
          selectFrom('identities')
            .select(sql`1`.as('one'))
            .whereRef('identities.user_id', '=', 'users.id')
            .where('identities.issuer', '=', LOCAL_ISSUER),
        )
          .$castTo<boolean | number>()
          .as('local'),
      );

  const byId = async (tx: Db, id: string): Promise<User | null> => {
    const row = await everybody(tx).where('id', '=', id).executeTakeFirst();
    return row ? toUser(row) : null;
  };

  const store = {
    get: (id: string): Promise<User | null> => byId(db, id),

    async list(): Promise<User[]> {
      return (await everybody().orderBy('created_at').execute()).map(toUser);
    },

    /** What people call these users: a name, else an address. Users without either, or who are gone, are left out. */
    async labels(ids: readonly string[]): Promise<Map<string, string>> {
      if (ids.length === 0) return new Map();
      const rows = await db
        .selectFrom('users')
        .select(['id', 'name', 'email'])
        .where('id', 'in', ids)
        .execute();
      return new Map(
        rows.flatMap(({ id, name, email }) => {
          const label = name ?? email;
          return label === null ? [] : [[id, label] as const];
        }),
      );
    },

    async byEmail(email: string): Promise<User[]> {
      const rows = await everybody().where('email', '=', email.toLowerCase()).execute();
      return rows.map(toUser);
    },

    async byIdentity(issuer: string, subject: string): Promise<User | null> {
      const row = await everybody()
        .innerJoin('identities as known', 'known.user_id', 'users.id')
        .where('known.issuer', '=', issuer)
        .where('known.subject', '=', subject)
        .executeTakeFirst();
      return row ? toUser(row) : null;
    },

    /** A user made ahead of their first sign-in (command line). */
    async create(values: { email: string | null; name: string | null }): Promise<User> {
      return (await byId(db, await insert(db, values)))!;
    },

    /** How many people have an identity there. */
    async countAt(issuer: string): Promise<number> {
      const { count } = await db
        .selectFrom('identities')
        .select(eb => eb.fn.countAll<number | string>().as('count'))
        .where('issuer', '=', issuer)
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    /**
     * The user behind an identity, made at first sight (`isNew`); profile, groups and the claimed admin flag follow the provider.
     * A verified address joins an account that was made ahead and that no identity has yet; never one that somebody signs in to.
     */
    async recognize(person: Person): Promise<User & { readonly isNew: boolean }> {
      const attempt = () => db.transaction().execute(tx => recognizeIn(tx, person));
      try {
        return await attempt();
      } catch (error) {
        // Two first sights at once on PostgreSQL: the primary key lets one win, and the other finds its user.
        if ((await store.byIdentity(person.issuer, person.subject)) === null) throw error;
        return attempt();
      }
    },

    /** Notes that the user was seen now, for credentials that need no sign-in. */
    async saw(id: string): Promise<void> {
      await db.updateTable('users').set({ seen_at: dbNow }).where('id', '=', id).execute();
    },

    makeAdmin: (id: string): Promise<void> => store.setAdmin(id, true),

    /** What an admin here says; what the person's provider says stands beside it. */
    async setAdmin(id: string, admin: boolean): Promise<void> {
      await db
        .updateTable('users')
        .set({ local_admin: admin ? 1 : 0 })
        .where('id', '=', id)
        .execute();
    },

    async hasAdmin(): Promise<boolean> {
      const row = await db
        .selectFrom('users')
        .select('id')
        .where(eb => eb.or([eb('claimed_admin', '=', 1), eb('local_admin', '=', 1)]))
        .where('disabled_at', 'is', null)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    /** Of people whom no provider tells of: whatever it says at a sign-in would replace them. */
    async setGroups(id: string, groups: readonly string[]): Promise<void> {
      await db
        .updateTable('users')
        .set({ groups: JSON.stringify(groups) })
        .where('id', '=', id)
        .execute();
    },

    /** Whether nobody else could do an admin's work. */
    async isLastAdmin(id: string): Promise<boolean> {
      const rows = await db
        .selectFrom('users')
        .select('id')
        .where(eb => eb.or([eb('claimed_admin', '=', 1), eb('local_admin', '=', 1)]))
        .where('disabled_at', 'is', null)
        .limit(2)
        .execute();
      return rows.length === 1 && rows[0]!.id === id;
    },

    /** With everything that is theirs alone: identities, password, sessions, keys, grants, the links they gave. */
    async remove(id: string): Promise<void> {
      await db.deleteFrom('users').where('id', '=', id).execute();
    },

    /** @returns whether there is such a user */
    async setDisabled(id: string, disabled: boolean): Promise<boolean> {
      const result = await db
        .updateTable('users')
        .set({ disabled_at: disabled ? dbNow : null })
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
  };
  return store;

  async function recognizeIn(tx: Db, person: Person): Promise<User & { readonly isNew: boolean }> {
    const known = await tx
      .selectFrom('identities')
      .select('user_id')
      .where('issuer', '=', person.issuer)
      .where('subject', '=', person.subject)
      .executeTakeFirst();
    let id = known?.user_id ?? (known === undefined ? await unclaimed(tx, person) : undefined);
    const isNew = id === undefined;
    id ??= await insert(tx, { email: null, name: null });
    if (known === undefined) {
      await tx
        .insertInto('identities')
        .values({ issuer: person.issuer, subject: person.subject, user_id: id, created_at: dbNow })
        .execute();
    }
    const email = (await mayHold(tx, id, person)) ? person.email : null;
    await tx
      .updateTable('users')
      .set({
        seen_at: dbNow,
        ...(email === null ? {} : { email: email.toLowerCase() }),
        ...(person.name === null ? {} : { name: person.name }),
        ...(person.groups === undefined ? {} : { groups: JSON.stringify(person.groups) }),
        ...(person.admin === undefined ? {} : { claimed_admin: person.admin ? 1 : 0 }),
      })
      .where('id', '=', id)
      .execute();
    return { ...(await byId(tx, id))!, isNew };
  }

  /** Access rules name people by address: one that nobody vouches for must not be taken from the user who has it. */
  async function mayHold(tx: Db, id: string, person: Person): Promise<boolean> {
    if (person.email === null || person.emailVerified) return true;
    const holder = await tx
      .selectFrom('users')
      .select('id')
      .where('email', '=', person.email.toLowerCase())
      .where('id', '!=', id)
      .limit(1)
      .executeTakeFirst();
    return holder === undefined;
  }

  /** RFC 9700 says nothing of accounts made ahead; joining only unclaimed ones by a verified address is what keeps a provider that lets people choose their email from taking over others. */
  async function unclaimed(tx: Db, person: Person): Promise<string | undefined> {
    if (person.email === null || !person.emailVerified) return undefined;
    const row = await tx
      .selectFrom('users')
      .select('users.id')
      .where('email', '=', person.email.toLowerCase())
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('identities').select(sql`1`.as('one')).whereRef('identities.user_id', '=', 'users.id'),
          ),
        ),
      )
      .limit(1)
      .executeTakeFirst();
    return row?.id;
  }
}

export type UserStore = ReturnType<typeof createUserStore>;
