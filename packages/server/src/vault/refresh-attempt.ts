import type { Grant } from './grant.ts';
import type { NewVersion } from './grant-store.ts';
import { lifetimeOf } from './lifetime.ts';
import type { RefreshDeps } from './refresh.ts';
import type { RefreshGate } from './refresh-gate.ts';
import { type RefreshEvent, type RefreshOutcome, type Step, step } from './refresh-machine.ts';
import { type OpenEndpoint, REFRESH_TIMEOUT, type RefreshAnswer } from './token-endpoint.ts';
import { placeOf, successorOf, type TokenResponse, type Tokens } from './tokens.ts';

/** Milliseconds that a claim holds: the request's timeout, and room for clocks and pauses. */
const HOLD = 60_000;
const MIN_BACKOFF = 2_000;
const MAX_BACKOFF = 300_000;

/** Where a crash would hurt. */
export type Probe =
  | 'before-claim'
  | 'after-claim'
  | 'after-send'
  | 'after-answer'
  | 'before-commit'
  | 'after-commit';

/** One walk through the machine: does what it says, and tells it what happened. */
export class RefreshAttempt {
  readonly #deps: RefreshDeps & { gate: RefreshGate };
  readonly #grantId: string;
  readonly #over: AbortSignal;
  /** As last read. */
  #grant: Grant | null = null;
  #endpoint: OpenEndpoint | null = null;
  /** Of the claim that is, or was last, held: the database's time, and our clocks from before it. */
  #claimedAt = 0;
  #clocks = { monotonic: 0, wall: 0 };
  #tokens: Tokens | null = null;
  #answer: RefreshAnswer | null = null;
  #leave: () => void = () => {};

  constructor(deps: RefreshDeps & { gate: RefreshGate }, grantId: string, over: AbortSignal) {
    this.#deps = deps;
    this.#grantId = grantId;
    this.#over = over;
  }

  async run(first: Step): Promise<RefreshOutcome> {
    let current = first;
    try {
      while (current.effect.do !== 'done') current = step(current.state, await this.#perform(current));
      return current.effect.outcome;
    } finally {
      this.#leave();
    }
  }

  async #perform({ state, effect }: Step): Promise<RefreshEvent> {
    const { store, runtime } = this.#deps;
    switch (effect.do) {
      case 'read':
        this.#grant = await store.read(this.#grantId);
        return { type: 'row', row: this.#grant };
      case 'wait':
        this.#leave();
        // What another process does is seen by looking.
        await runtime.sleep(100 + this.#random(200), this.#over);
        return { type: 'waited' };
      case 'claim':
        return this.#claim(state.attempt, effect.version, effect.over);
      case 'send':
        return this.#send();
      case 'commit':
        return { type: 'swapped', won: await this.#commit(effect.version) };
      case 'release':
        return { type: 'swapped', won: await this.#release(state.attempt, effect) };
      case 'mark-reauth': {
        const won = await store.markReauth(this.#grantId, effect.version, state.attempt);
        if (won) this.#deps.changed(this.#grant!, 'invalid_grant');
        return { type: 'swapped', won };
      }
      case 'done':
        throw new Error('an attempt that is done has nothing to perform');
    }
  }

  async #claim(attempt: string, version: number, over: string | null): Promise<RefreshEvent> {
    const { store, runtime, endpoint, gate, probe, log } = this.#deps;
    const { provider } = this.#grant!;
    this.#leave();
    try {
      // Before the claim: while a provider cannot even be found, nobody's time runs.
      this.#endpoint = await endpoint.open(provider);
    } catch (error) {
      log.warn(
        { grant: this.#grantId, provider, err: error },
        'the provider cannot be found to refresh a grant',
      );
      return { type: 'unreachable' };
    }
    // Before the claim too: its time is for the provider's answer, not for the queue.
    this.#leave = await gate.enter(provider);
    await probe?.('before-claim');
    this.#clocks = { monotonic: runtime.monotonic(), wall: runtime.now() };
    const claimedAt = await store.claim({ id: this.#grantId, version, over, attempt, hold: HOLD });
    if (claimedAt === null) return { type: 'swapped', won: false };
    this.#claimedAt = claimedAt;
    await probe?.('after-claim');
    return { type: 'swapped', won: true };
  }

  async #send(): Promise<RefreshEvent> {
    const { sealer, probe, timeout = REFRESH_TIMEOUT } = this.#deps;
    const grant = this.#grant!;
    const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    this.#tokens = tokens;
    this.#answer = null;
    // A process that slept here must not send: by its deadline another may take over, and the token is good for one use.
    if (this.#elapsed() + timeout >= HOLD) return { type: 'unsent' };
    const answering = this.#endpoint!.refresh(tokens.refresh_token!, grant.subject);
    await probe?.('after-send');
    const answer = await answering;
    this.#answer = answer;
    await probe?.('after-answer');
    return answer.kind === 'transient'
      ? { type: 'answer', kind: 'transient', underway: answer.underway }
      : { type: 'answer', kind: answer.kind };
  }

  /** Since before the claim, by our own clocks. The monotonic one may stand still while a machine sleeps; the other may be set back. */
  #elapsed(): number {
    const { runtime } = this.#deps;
    return Math.max(runtime.monotonic() - this.#clocks.monotonic, runtime.now() - this.#clocks.wall);
  }

  /** Tried until the database takes it: while this process lives, a received successor is not lost. */
  async #commit(version: number): Promise<boolean> {
    const { store, runtime, log, probe } = this.#deps;
    const grant = this.#grant!;
    const answer = this.#answer;
    if (answer?.kind !== 'tokens') throw new Error('there is no successor to commit');
    const next = this.#sealed(version + 1, answer.tokens);
    await probe?.('before-commit');
    for (let tries = 0; ; tries++) {
      try {
        const won = await store.commit(grant.id, version, this.#claimedAt, next);
        if (won) this.#deps.changed(grant, 'refreshed');
        else await this.#revokeOrphan(answer.tokens);
        await probe?.('after-commit');
        return won;
      } catch (error) {
        log.error(
          { err: error, grant: grant.id, tries },
          'the database does not take a refreshed grant; trying on',
        );
        await runtime.sleep(Math.min(100 * 2 ** tries, 5_000), this.#over);
      }
    }
  }

  #sealed(version: number, response: TokenResponse): NewVersion {
    const { sealer } = this.#deps;
    const grant = this.#grant!;
    const tokens = successorOf(this.#tokens!, response);
    const hasRefreshToken = tokens.refresh_token !== undefined;
    return {
      envelope: sealer.seal(JSON.stringify(tokens), placeOf({ ...grant, version })),
      kid: sealer.kid,
      // RFC 6749 section 5.1: unsaid means unchanged.
      scope: response.scope ?? grant.scope,
      lifetime: lifetimeOf(response.expires_in, hasRefreshToken),
      hasRefreshToken,
    };
  }

  /** The user ended the grant while its successor was on the way: that must not outlive it. */
  async #revokeOrphan(tokens: TokenResponse): Promise<void> {
    const { store, log } = this.#deps;
    if ((await store.read(this.#grantId)) !== null) return;
    const token = tokens.refresh_token ?? tokens.access_token;
    const hint = tokens.refresh_token === undefined ? 'access_token' : 'refresh_token';
    await this.#endpoint!.revoke(token, hint).catch(() =>
      log.warn({ grant: this.#grantId }, 'the successor of an ended grant could not be revoked'),
    );
  }

  async #release(attempt: string, how: { failed: boolean; underway: boolean }): Promise<boolean> {
    const { store, log } = this.#deps;
    const grant = this.#grant!;
    const answer = this.#answer;
    if (!how.failed || answer?.kind !== 'transient') return store.release(grant.id, attempt);
    const { reason, retryAfter, underway } = answer;
    log.warn(
      { grant: grant.id, provider: grant.provider, reason },
      'a provider did not refresh a grant; to be tried again',
    );
    const backoff = Math.max(this.#backoff(grant.failures), retryAfter ?? 0);
    const won = await store.releaseFailed(grant.id, attempt, { reason, backoff, underway });
    if (won) this.#deps.changed(grant, reason);
    return won;
  }

  /** Doubled with each failure, and anything from half of that to all of it. */
  #backoff(failures: number): number {
    const most = Math.min(MIN_BACKOFF * 2 ** Math.min(failures, 20), MAX_BACKOFF);
    return Math.ceil(most / 2 + this.#random(most / 2));
  }

  #random(below: number): number {
    return (this.#deps.runtime.random(2).readUInt16BE() / 0x1_0000) * below;
  }
}
