import type { Config } from '../config/types.ts';
import type { Resting } from '../http/examination.ts';
import type { Invitations } from '../identity/invitations.ts';
import type { Keys } from '../identity/keys.ts';
import type { UserStore } from '../identity/user-store.ts';
import type { Patience } from '../platform/db/reach.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';

/** What the command line needs of the gateway; `app.ts` is it. */
export interface Gateway extends AsyncDisposable {
  /** Listens. @returns where, as the ready line has it */
  start(): Promise<{ readonly url: string }>;
  /** The link that makes the first admin; null when there is an admin already. */
  adminLink(): Promise<string | null>;
  /** What commands do to people and their credentials is remembered as what requests do. */
  readonly audit: Audit;
  readonly identity: {
    readonly keys: Pick<Keys, 'create' | 'list' | 'revoke'>;
    /** Null where local accounts are off. */
    readonly invitations: Pick<Invitations, 'invite' | 'passwordLink'> | null;
    readonly users: Pick<UserStore, 'get' | 'byEmail' | 'list' | 'create' | 'makeAdmin'>;
  };
  /** Those of the configuration file, and those that admins added. */
  readonly providers: { list(): readonly Provider[]; entries(): readonly Resting[] };
  readonly upstreams: { list(): readonly Upstream[]; entries(): readonly Resting[] };
  readonly vault: {
    /** Seals everything anew under the newest key; begins where an interrupted run ended. @returns how many records */
    rotate(signal: AbortSignal): Promise<number>;
    /** How many records are sealed under a key that is not in the ring. */
    unreadable(): Promise<number>;
  };
}

export type CreateGateway = (deps: {
  config: Config;
  runtime: Runtime;
  log: Logger;
  patience?: Patience;
}) => Promise<Gateway>;
