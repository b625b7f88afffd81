import { newId } from '../platform/crypto.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import { type Probe, RefreshAttempt } from './refresh-attempt.ts';
import { createRefreshGate, REFRESH_PACE } from './refresh-gate.ts';
import { type RefreshOutcome, start } from './refresh-machine.ts';
import type { KeyringSealer } from './seal.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** How long a gateway that ends waits for answers of providers, milliseconds. */
const PATIENCE = 30_000;

/** What a caller has, and why that will not do. */
export interface Wish {
  /** A version that has expired, is due, or was refused. */
  readonly wanting: number;
  /** An upstream refused it. */
  readonly refused: boolean;
}

export interface RefreshDeps {
  store: GrantStore;
  sealer: KeyringSealer;
  endpoint: TokenEndpoint;
  runtime: Runtime;
  log: Logger;
  /** Called when a grant has a new version, a new state, or is gone. */
  changed(grant: Pick<Grant, 'id' | 'userId' | 'provider'>, result: string): void;
  /** Milliseconds the token endpoint has; what `endpoint` was made with. */
  timeout?: number;
  /** Tests end the process here. */
  probe?: (at: Probe) => void | Promise<void>;
}

export interface Refresh extends AsyncDisposable {
  /**
   * Sees to a version that will do. All callers of a process share one attempt at a grant, and none of them can end it by going away: a
   * refresh token that was sent is spent, whoever still listens.
   */
  run(grantId: string, wish: Wish): Promise<RefreshOutcome>;
}

export function createRefresh(deps: RefreshDeps): Refresh {
  const flights = new Map<string, { wish: Wish; outcome: Promise<RefreshOutcome> }>();
  const over = new AbortController();
  const gate = createRefreshGate(REFRESH_PACE, deps.runtime);

  async function run(grantId: string, wish: Wish): Promise<RefreshOutcome> {
    for (let flight = flights.get(grantId); flight !== undefined; flight = flights.get(grantId)) {
      const outcome = await flight.outcome;
      if (covers(flight.wish, wish) || fulfils(outcome, wish)) return outcome;
    }
    const first = start({ attempt: newId(deps.runtime, 'att'), ...wish });
    const outcome = new RefreshAttempt({ ...deps, gate }, grantId, over.signal)
      .run(first)
      .finally(() => flights.delete(grantId));
    flights.set(grantId, { wish, outcome });
    return outcome;
  }

  return {
    run,
    async [Symbol.asyncDispose]() {
      const settled = Promise.allSettled([...flights.values()].map(flight => flight.outcome));
      const waited = new AbortController();
      await Promise.race([settled, deps.runtime.sleep(PATIENCE, waited.signal).catch(() => {})]);
      waited.abort();
      over.abort(new Error('the gateway ends'));
    },
  };
}

/** Whether who wanted `a` would have got what `b` asks for, if it were to be had. */
const covers = (a: Wish, b: Wish): boolean => a.wanting >= b.wanting && (a.refused || !b.refused);

const fulfils = (outcome: RefreshOutcome, wish: Wish): boolean =>
  outcome.is === 'usable' && (outcome.version > wish.wanting || !wish.refused);
