import type { Db } from '../platform/db/db.ts';
import type { AuditEvent } from '../terms/audit.ts';

/** An event with the id and time it was given when it happened. */
export interface TimedEvent extends AuditEvent {
  readonly id: string;
  readonly at: number;
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
  };
}

export type AuditStore = ReturnType<typeof createAuditStore>;
