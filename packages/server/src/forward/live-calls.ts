import type { Bus, Notice } from '../platform/bus.ts';
import { type AppError, asAppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';

/** A call that was let through and is not over: a stream may last for hours. */
export interface LiveCall {
  readonly call: Call;
  readonly principal: Principal;
  readonly upstream: Upstream;
  /** The one that is under way; a second follows a refused token. */
  exchange: Exchange;
  /** Why it may not go on, once that is so. */
  refusal: AppError | null;
}

export interface LiveCalls {
  enter(live: LiveCall): void;
  leave(live: LiveCall): void;
}

/**
 * Ends calls whose caller may no longer make them (rule 7): at news about a session, key or user, each of its calls is looked at
 * as if it came now, and cut off when it would be refused.
 */
export function createLiveCalls(deps: {
  bus: Pick<Bus, 'subscribe'>;
  authenticate(call: Call): Principal | Promise<Principal>;
  /** @throws AppError */
  authorize(principal: Principal, upstream: Upstream): void;
}): LiveCalls {
  const all = new Set<LiveCall>();

  deps.bus.subscribe(notice => {
    for (const live of all) if (concerns(notice, live.principal)) void lookAgain(live);
  });

  async function lookAgain(live: LiveCall): Promise<void> {
    try {
      deps.authorize(await deps.authenticate(live.call), live.upstream);
    } catch (thrown) {
      const error = asAppError(thrown);
      // A database that is away says nothing about the caller.
      if (error.status !== 401 && error.status !== 403) return;
      live.refusal = error;
      live.exchange.cut(error);
    }
  }

  return {
    enter: live => void all.add(live),
    leave: live => void all.delete(live),
  };
}

function concerns(notice: Notice, principal: Principal): boolean {
  switch (notice.topic) {
    case 'session-ended':
      return principal.credentialId === notice.sessionId;
    case 'key-revoked':
      return principal.credentialId === notice.keyId;
    case 'user-changed':
      return principal.userId === notice.userId;
    default:
      return false;
  }
}
