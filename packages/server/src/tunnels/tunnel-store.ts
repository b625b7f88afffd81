import type { ServerKind } from '@sallyport/protocol/hello.ts';
import { newId } from '../platform/crypto.ts';
import { type Db, dbNow } from '../platform/db/db.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { AccessRule } from '../terms/upstream.ts';
import type { TunnelTools } from './tunnel-tools.ts';

/** A tunnel as it is remembered, whether or not an agent serves it now. */
export interface Tunnel {
  /** `tun_…` */
  readonly id: string;
  readonly ownerId: string;
  /** The first half of its name. */
  readonly handle: string;
  readonly name: string;
  /** A plain name that an admin gave it. */
  readonly alias: string | null;
  readonly kind: ServerKind;
  readonly title: string | null;
  /** Who may use it beside its owner and admins. */
  readonly shared: AccessRule;
  /** Which tools may be called; null: all of them. */
  readonly tools: TunnelTools | null;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly seenAt: number;
}

interface Row {
  id: string;
  owner_id: string;
  handle: string;
  name: string;
  alias: string | null;
  kind: string;
  title: string | null;
  shared_everyone: number;
  shared_users: string;
  shared_groups: string;
  tools: string | null;
  created_at: number;
  seen_at: number;
}

const toTunnel = (row: Row): Tunnel => ({
  id: row.id,
  ownerId: row.owner_id,
  handle: row.handle,
  name: row.name,
  alias: row.alias,
  kind: row.kind as ServerKind,
  title: row.title,
  shared: {
    everyone: row.shared_everyone === 1,
    users: JSON.parse(row.shared_users) as string[],
    groups: JSON.parse(row.shared_groups) as string[],
  },
  tools: row.tools === null ? null : (JSON.parse(row.tools) as TunnelTools),
  createdAt: row.created_at,
  seenAt: row.seen_at,
});

/** Tunnels and the handles of those who have any. */
export function createTunnelStore(db: Db, runtime: Pick<Runtime, 'random'>) {
  const known = () =>
    db
      .selectFrom('tunnels')
      .innerJoin('handles', 'handles.user_id', 'tunnels.owner_id')
      .selectAll('tunnels')
      .select('handles.handle');

  async function handleOf(userId: string): Promise<string | null> {
    const row = await db
      .selectFrom('handles')
      .select('handle')
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return row?.handle ?? null;
  }

  return {
    handleOf,

    /** @returns the user's handle, which is another one where the user has one already; null when this one is another's */
    async takeHandle(userId: string, handle: string): Promise<string | null> {
      await db
        .insertInto('handles')
        .values({ user_id: userId, handle, created_at: dbNow })
        .onConflict(conflict => conflict.doNothing())
        .execute();
      return handleOf(userId);
    },

    async list(): Promise<Tunnel[]> {
      return (await known().orderBy('tunnels.created_at').orderBy('tunnels.id').execute()).map(toTunnel);
    },

    /** How many are one user's. */
    async countOf(userId: string): Promise<number> {
      const { many } = await db
        .selectFrom('tunnels')
        .select(eb => eb.fn.countAll<number | string>().as('many'))
        .where('owner_id', '=', userId)
        .executeTakeFirstOrThrow();
      return Number(many);
    },

    /** Remembers that an agent came with it. */
    async saw(tunnel: Pick<Tunnel, 'ownerId' | 'name' | 'kind' | 'title'>): Promise<Tunnel> {
      const { ownerId, name, kind, title } = tunnel;
      await db
        .insertInto('tunnels')
        .values({
          id: newId(runtime, 'tun'),
          owner_id: ownerId,
          name,
          alias: null,
          kind,
          title,
          shared_everyone: 0,
          shared_users: '[]',
          shared_groups: '[]',
          tools: null,
          created_at: dbNow,
          seen_at: dbNow,
        })
        .onConflict(conflict =>
          conflict.columns(['owner_id', 'name']).doUpdateSet({ kind, title, seen_at: dbNow }),
        )
        .execute();
      const row = await known()
        .where('owner_id', '=', ownerId)
        .where('name', '=', name)
        .executeTakeFirstOrThrow();
      return toTunnel(row);
    },

    async share(id: string, shared: AccessRule): Promise<void> {
      await db
        .updateTable('tunnels')
        .set({
          shared_everyone: shared.everyone ? 1 : 0,
          shared_users: JSON.stringify(shared.users),
          shared_groups: JSON.stringify(shared.groups),
        })
        .where('id', '=', id)
        .execute();
    },

    async setTools(id: string, tools: TunnelTools | null): Promise<void> {
      const text = tools === null ? null : JSON.stringify(tools);
      await db.updateTable('tunnels').set({ tools: text }).where('id', '=', id).execute();
    },

    /** @returns false when another tunnel has that plain name */
    async setAlias(id: string, alias: string | null): Promise<boolean> {
      const taken =
        alias === null
          ? undefined
          : await db
              .selectFrom('tunnels')
              .select('id')
              .where('alias', '=', alias)
              .where('id', '!=', id)
              .executeTakeFirst();
      if (taken !== undefined) return false;
      await db.updateTable('tunnels').set({ alias }).where('id', '=', id).execute();
      return true;
    },

    /** @returns whether there was one */
    async remove(id: string): Promise<boolean> {
      const result = await db.deleteFrom('tunnels').where('id', '=', id).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
  };
}

export type TunnelStore = ReturnType<typeof createTunnelStore>;
