import type { Logger } from '../platform/log.ts';
import type { Actor } from '../terms/audit.ts';
import type { Provider } from '../terms/provider.ts';
import type { Sessions } from './sessions.ts';
import type { SignInStore } from './sign-in-store.ts';

/** What a removed provider leaves behind is ended. */
export interface Retirement {
  /** Ends every sign-in under way, session and grant of a provider; its tokens are revoked behind it, where they can be. */
  retire(providerId: string, by: Actor): Promise<void>;
  /** The list of providers is another: whoever came in here while another process removed one goes too. */
  changed(providerId: string, was: Provider | null): void;
}

export function createRetirement(deps: {
  providers: { find(id: string): Provider | undefined };
  servers: { retire(provider: Provider): void };
  signIns: Pick<SignInStore, 'forgetAt'>;
  sessions: Pick<Sessions, 'endAllAt'>;
  vault: { endGrantsAt(providerId: string, by: Actor): Promise<void> };
  log: Logger;
}): Retirement {
  async function retire(providerId: string, by: Actor): Promise<void> {
    // In the order in which one comes from another.
    await deps.signIns.forgetAt(providerId);
    await deps.sessions.endAllAt(providerId, by);
    await deps.vault.endGrantsAt(providerId, by);
  }

  return {
    retire,
    changed(providerId, was) {
      if (was === null || deps.providers.find(providerId) !== undefined) return;
      deps.servers.retire(was);
      retire(providerId, ITSELF).catch((error: unknown) =>
        deps.log.warn({ err: error, provider: providerId }, 'what began at a removed provider was not ended'),
      );
    },
  };
}

const ITSELF: Actor = { userId: null, credentialId: null, address: null };
