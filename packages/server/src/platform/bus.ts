import type { AccessRule } from '../terms/upstream.ts';

/** What one part of the gateway tells the others at once. A lost message costs at most a cache's TTL (5 s). */
export type Notice =
  | { readonly topic: 'session-begun'; readonly userId: string }
  | { readonly topic: 'session-ended'; readonly sessionId: string; readonly userId: string }
  | { readonly topic: 'key-created'; readonly userId: string }
  | { readonly topic: 'key-revoked'; readonly keyId: string; readonly userId: string }
  | { readonly topic: 'user-changed'; readonly userId: string }
  /** One was made, withdrawn or accepted. */
  | { readonly topic: 'invitations-changed' }
  /** One of this person's terminals began to be recorded, ended, or its recording is gone. */
  | { readonly topic: 'recordings-changed'; readonly userId: string }
  /** One of this person's terminals was made, shown, left, or is over. */
  | { readonly topic: 'terminals-changed'; readonly userId: string }
  | { readonly topic: 'grant-changed'; readonly grantId: string; readonly userId: string }
  /** This process knows it otherwise than before, or no more: an admin added, changed or removed it. */
  | { readonly topic: 'upstream-changed'; readonly upstreamId: string }
  | { readonly topic: 'provider-changed'; readonly providerId: string }
  /** It has begun to fail, or works again. */
  | { readonly topic: 'upstream-turned'; readonly upstreamId: string }
  /** Agents' tunnels were called; to be told to whom they are open. */
  | { readonly topic: 'tunnels-used'; readonly access: readonly AccessRule[] }
  /** Events have reached the database. */
  | { readonly topic: 'audit-stored' };

/** Publish and subscribe within one process; with several replicas the same door leads to Redis. */
export interface Bus {
  publish(notice: Notice): void;
  /** @returns unsubscribe */
  subscribe(listener: (notice: Notice) => void): () => void;
}

export function createBus(): Bus {
  const listeners = new Set<(notice: Notice) => void>();
  return {
    publish(notice) {
      for (const listener of listeners) listener(notice);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
