import type { Bus, Notice } from '../platform/bus.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';
import type { Surface } from './forward.ts';

/** Most calls are over sooner, and nobody has to look at them, milliseconds. */
const YOUNG = 1_000;

/** A call that was let through and is not over: a stream may last for hours. */
export interface LiveCall {
  readonly call: Call;
  readonly principal: Principal;
  readonly upstream: Upstream;
  readonly surface: Surface;
  /** The one that is under way; a second follows a refused token. */
  exchange: Exchange;
  /** Why it may not go on, once that is so. */
  refusal: AppError | null;
  /** Its place among all; of these alone. */
  at: number;
}

export interface LiveCalls {
  enter(live: LiveCall): void;
  leave(live: LiveCall): void;
  /** How many there are to an upstream, in this process. */
  count(upstreamId: string): number;
  /** Looks whether those that are open may go on, at what another process took back; once for each credential. */
  check(): Promise<void>;
}

/**
 * Ends calls whose caller may no longer make them (rule 7): at news about a session, key, user or upstream, each of its calls is looked at
 * as if it came now, and cut off when it would be refused.
 */
export function createLiveCalls(deps: {
  bus: Pick<Bus, 'subscribe'>;
  authenticate(call: Call): Principal | Promise<Principal>;
  /** @throws AppError when the upstream, as it is now, is not this principal's to use */
  authorize(principal: Principal, upstream: Upstream, surface: Surface): void;
  /** What a credential is worth now, by the database; null: nothing. */
  standing(principal: Principal): Promise<unknown>;
  runtime: Pick<Runtime, 'monotonic'>;
}): LiveCalls {
  // No Set: one that so much comes into and goes out of is rehashed all the time, and each table that V8 leaves behind leads to the next
  // one and to what was in it. Once one of them is old, all calls after it live until the next full collection.
  const all: LiveCall[] = [];

  deps.bus.subscribe(notice => {
    for (const live of all.slice()) if (concerns(notice, live)) void lookAgain(live);
  });

  async function lookAgain(live: LiveCall): Promise<void> {
    try {
      deps.authorize(await deps.authenticate(live.call), live.upstream, live.surface);
    } catch (thrown) {
      const error = asAppError(thrown);
      // A database that is away says nothing about the caller.
      if (![401, 403, 404].includes(error.status)) return;
      cut(live, error);
    }
  }

  function cut(live: LiveCall, error: AppError): void {
    live.refusal = error;
    live.exchange.cut(error);
  }

  async function check(): Promise<void> {
    const since = deps.runtime.monotonic() - YOUNG;
    const byCredential = new Map<string, LiveCall[]>();
    for (const live of all) {
      const { proof, credentialId } = live.principal;
      if (proof === 'anonymous' || live.call.startedAt > since) continue;
      const known = byCredential.get(credentialId);
      if (known === undefined) byCredential.set(credentialId, [live]);
      else known.push(live);
    }
    for (const calls of byCredential.values()) {
      if ((await deps.standing(calls[0]!.principal)) !== null) continue;
      for (const live of calls)
        if (all[live.at] === live)
          cut(live, new AppError('unauthenticated', 'The credential is no longer valid.'));
    }
  }

  return {
    enter(live) {
      live.at = all.push(live) - 1;
    },
    leave(live) {
      const last = all.pop()!;
      if (last === live) return;
      all[live.at] = last;
      last.at = live.at;
    },
    count(upstreamId) {
      let count = 0;
      for (const { upstream } of all) if (upstream.id === upstreamId) count += 1;
      return count;
    },
    check,
  };
}

/** Whether news may have taken back what let a call or a WebSocket through. */
export function concerns(
  notice: Notice,
  { principal, upstream }: { readonly principal: Principal; readonly upstream: Upstream },
): boolean {
  switch (notice.topic) {
    case 'session-ended':
      return principal.credentialId === notice.sessionId;
    case 'key-revoked':
      return principal.credentialId === notice.keyId;
    case 'user-changed':
      return principal.userId === notice.userId;
    case 'upstream-changed':
      return upstream.id === notice.upstreamId;
    default:
      return false;
  }
}
