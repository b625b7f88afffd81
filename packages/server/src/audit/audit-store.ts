import type { Db } from '../platform/db/db.ts';
import type { AuditEvent } from '../terms/audit.ts';

/** An event with the id and time it was given when it happened. */
export interface TimedEvent extends AuditEvent {
  readonly id: string;
  readonly at: number;
}

/** An event as it is read again. */
export interface StoredEvent {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly action: string;
  readonly userId: string | null;
  /** Their name, else their address, as the gateway knows them now. */
  readonly userLabel: string | null;
  readonly credentialId: string | null;
  readonly address: string | null;
  readonly target: string | null;
  readonly detail: Record<string, string | number | boolean | null>;
}

export interface AuditQuery {
  readonly action?: string | undefined;
  /** Id or email address of who acted. */
  readonly user?: string | undefined;
  readonly target?: string | undefined;
  /** Epoch milliseconds, the first inclusive, the second not. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Only what comes after this event in the order of the list. */
  readonly after?: Pick<StoredEvent, 'at' | 'id'> | undefined;
  readonly limit: number;
}

export function createAuditStore(db: Db) {
  return {
    async insert(events: readonly TimedEvent[]): Promise<void> {
      const rows = events.map(event => ({
        id: event.id,
        at: event.at,
        action: event.action,
        user_id: event.userId,
        credential_id: event.credentialId ?? null,
        address: event.address ?? null,
        target: event.target ?? null,
        detail: JSON.stringify(event.detail ?? {}),
      }));
      await db.insertInto('audit_events').values(rows).execute();
    },

    /** Newest first. */
    async list(query: AuditQuery): Promise<StoredEvent[]> {
      const { action, user, target, from, to, after } = query;
      let events = db
        .selectFrom('audit_events as event')
        .leftJoin('users', 'users.id', 'event.user_id')
        .selectAll('event')
        .select(['users.name as user_name', 'users.email as user_email'])
        .orderBy('event.at', 'desc')
        .orderBy('event.id', 'desc')
        .limit(query.limit);
      if (action !== undefined) events = events.where('event.action', '=', action);
      if (target !== undefined) events = events.where('event.target', '=', target);
      if (from !== undefined) events = events.where('event.at', '>=', from);
      if (to !== undefined) events = events.where('event.at', '<', to);
      if (user !== undefined)
        events = events.where(eb =>
          eb.or([eb('event.user_id', '=', user), eb('users.email', '=', user.toLowerCase())]),
        );
      if (after !== undefined)
        events = events.where(eb =>
          eb.or([
            eb('event.at', '<', after.at),
            eb.and([eb('event.at', '=', after.at), eb('event.id', '<', after.id)]),
          ]),
        );
      return (await events.execute()).map(row => ({
        id: row.id,
        at: row.at,
        action: row.action,
        userId: row.user_id,
        userLabel: row.user_name ?? row.user_email,
        credentialId: row.credential_id,
        address: row.address,
        target: row.target,
        detail: JSON.parse(row.detail) as StoredEvent['detail'],
      }));
    },
  };
}

export type AuditStore = ReturnType<typeof createAuditStore>;
