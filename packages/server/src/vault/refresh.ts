import { newId } from '../platform/crypto.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Grant, GrantStore, NewVersion } from './grant-store.ts';
import { type RefreshEvent, type RefreshOutcome, type Step, start, step } from './refresh-machine.ts';
import { type RefreshAnswer, TIMEOUT, type TokenEndpoint } from './token-endpoint.ts';
import { DEFAULT_EXPIRES_IN, placeOf, type TokenResponse, type Tokens } from './tokens.ts';

/** Milliseconds that a claim holds. */
const DEADLINE = 60_000;
const MIN_BACKOFF = 2_000;
const MAX_BACKOFF = 5 * 60_000;

/** Where a crash would hurt; tests end the process there. */
export type Probe =
  | 'before-claim'
  | 'after-claim'
  | 'after-send'
  | 'after-answer'
  | 'before-commit'
  | 'after-commit';

export interface RefreshDeps {
  store: GrantStore;
  sealer: Sealer & { readonly kid: string };
  endpoint: Pick<TokenEndpoint, 'refresh'>;
  runtime: Runtime;
  log: Logger;
  /** Called when a grant has a new version or a new state. */
  changed(grant: { id: string; userId: string; provider: string }, result: string): void;
  probe?(at: Probe): void | Promise<void>;
}

export interface Refresh {
  /**
   * A version newer than `wanting`, or the news that there is none. Callers of one process share one attempt; a caller that goes away
   * does not end it.
   * @param refused whether an upstream refused `wanting`
   */
  run(grantId: string, wanting: number, refused: boolean): Promise<RefreshOutcome>;
  /** Seals the first version of a grant, as every later one. */
  seal(
    place: { id: string; userId: string; version: number },
    tokens: TokenResponse,
    before?: Tokens,
  ): NewVersion;
}

export function createRefresh(deps: RefreshDeps): Refresh {
  const flights = new Map<string, Promise<RefreshOutcome>>();
  return {
    run(grantId, wanting, refused) {
      const key = `${grantId} ${wanting} ${refused}`;
      let flight = flights.get(key);
      if (flight === undefined) {
        flight = new Attempt(deps, grantId)
          .run(start({ wanting, refused, attempt: newId(deps.runtime, 'att') }))
          .finally(() => flights.delete(key));
        flights.set(key, flight);
      }
      return flight;
    },
    seal: (place, tokens, before) => sealVersion(deps.sealer, place, tokens, before),
  };
}

/** One walk through the machine: performs its effects and tells it what happened. */
class Attempt {
  readonly #deps: RefreshDeps;
  readonly #grantId: string;
  /** As last read. */
  #grant: Grant | null = null;
  #answer: RefreshAnswer | null = null;
  /** Monotonic; taken before the claim was sent, so never later than the database's idea of it. */
  #claimedAt = 0;

  constructor(deps: RefreshDeps, grantId: string) {
    this.#deps = deps;
    this.#grantId = grantId;
  }

  async run(first: Step): Promise<RefreshOutcome> {
    let current = first;
    while (current.effect.do !== 'done') current = step(current.state, await this.#perform(current));
    return current.effect.outcome;
  }

  async #perform({ state, effect }: Step): Promise<RefreshEvent> {
    const { store, runtime } = this.#deps;
    switch (effect.do) {
      case 'read':
        this.#grant = await store.read(this.#grantId);
        return { type: 'row', row: this.#grant };
      case 'claim': {
        await this.#deps.probe?.('before-claim');
        this.#claimedAt = runtime.monotonic();
        const won = await store.claim({
          id: this.#grantId,
          version: effect.version,
          over: effect.over,
          attempt: state.attempt,
          deadline: DEADLINE,
        });
        if (won) await this.#deps.probe?.('after-claim');
        return { type: 'swapped', won };
      }
      case 'send':
        return this.#send();
      case 'commit':
        return { type: 'swapped', won: await this.#commit(effect.version) };
      case 'release':
        return { type: 'swapped', won: await this.#release(state.attempt) };
      case 'mark': {
        const won = await store.markReauth(this.#grantId, effect.version, state.attempt);
        if (won) this.#deps.changed(this.#grant!, 'invalid_grant');
        return { type: 'swapped', won };
      }
      case 'wait':
        // Other processes are asked by looking: 50 to 150 ms.
        await runtime.sleep(50 + (runtime.random(1)[0]! / 255) * 100);
        return { type: 'waited' };
      case 'done':
        throw new Error('a finished attempt has nothing left to do');
    }
  }

  async #send(): Promise<RefreshEvent> {
    const { sealer, endpoint, runtime } = this.#deps;
    const grant = this.#grant!;
    const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    this.#answer = null;
    // A process that slept here must not send: somebody may take over, and the token is good for one use.
    if (runtime.monotonic() - this.#claimedAt + TIMEOUT >= DEADLINE) return { type: 'unsent' };
    const answering = endpoint.refresh(grant.provider, tokens.refresh_token!, grant.subject);
    await this.#deps.probe?.('after-send');
    this.#answer = await answering;
    await this.#deps.probe?.('after-answer');
    return { type: 'answer', kind: this.#answer.kind };
  }

  async #commit(version: number): Promise<boolean> {
    const answer = this.#answer!;
    if (answer.kind !== 'tokens') throw new Error('nothing to commit');
    await this.#deps.probe?.('before-commit');
    const won = await this.#store(this.#grant!, version, answer.tokens);
    await this.#deps.probe?.('after-commit');
    return won;
  }

  /** Tried until the database takes it: while this process lives, a received successor is not lost. */
  async #store(grant: Grant, version: number, tokens: TokenResponse): Promise<boolean> {
    const { store, sealer, runtime, log } = this.#deps;
    const before = JSON.parse(sealer.open(grant.envelope, placeOf({ ...grant, version }))) as Tokens;
    const next = sealVersion(
      sealer,
      { ...grant, version: version + 1 },
      { scope: grant.scope, ...tokens },
      before,
    );
    for (let tries = 0; ; tries++) {
      try {
        const won = await store.commit(grant.id, version, next);
        if (won) this.#deps.changed(grant, 'ok');
        return won;
      } catch (error) {
        log.error(
          { err: error, grant: grant.id, tries },
          'the database does not take a refreshed grant; trying on',
        );
        await runtime.sleep(Math.min(100 * 2 ** tries, 5_000));
      }
    }
  }

  async #release(attempt: string): Promise<boolean> {
    const { store, runtime, log } = this.#deps;
    const answer = this.#answer;
    if (answer === null || answer.kind !== 'transient') return store.release(this.#grantId, attempt, null, 0);
    const grant = this.#grant!;
    const backoff = Math.min(MIN_BACKOFF * 2 ** grant.failures, MAX_BACKOFF);
    const jittered = backoff / 2 + (runtime.random(1)[0]! / 255) * (backoff / 2);
    log.warn(
      { grant: grant.id, provider: grant.provider, reason: answer.reason },
      'the provider did not refresh a grant; it is tried again',
    );
    const won = await store.release(
      this.#grantId,
      attempt,
      answer.reason,
      Math.max(jittered, answer.retryAfter ?? 0),
    );
    if (won) this.#deps.changed(grant, answer.reason);
    return won;
  }
}

function sealVersion(
  sealer: Sealer & { readonly kid: string },
  place: { id: string; userId: string; version: number },
  response: TokenResponse,
  before?: Tokens,
): NewVersion {
  // RFC 6749 section 6: without a new refresh token the old one stays good.
  const refreshToken = response.refresh_token ?? before?.refresh_token;
  const idToken = response.id_token ?? before?.id_token;
  const tokens: Tokens = {
    access_token: response.access_token,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(idToken === undefined ? {} : { id_token: idToken }),
  };
  return {
    envelope: sealer.seal(JSON.stringify(tokens), placeOf(place)),
    kid: sealer.kid,
    scope: response.scope ?? '',
    lifetime: Math.floor((response.expires_in ?? DEFAULT_EXPIRES_IN) * 1_000),
    hasRefreshToken: refreshToken !== undefined,
  };
}
