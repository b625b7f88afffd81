import { decodeJwt } from 'jose';
import { ExpiringCache, type Lookups } from '../platform/cache.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import { dueAt, usableUntil } from './lifetime.ts';
import type { Refresh, Wish } from './refresh.ts';
import type { RefreshOutcome } from './refresh-machine.ts';
import type { Refusals } from './refusals.ts';
import type { KeyringSealer } from './seal.ts';
import { placeOf, type Tokens } from './tokens.ts';

const MAX_OPENED = 50_000;
/** No token stays open in memory for longer, milliseconds. */
const KEPT = 300_000;
/** A look at the row holds this long: it bounds a revocation by another process whose notice was lost (design, rule 7). */
const CHECKED = 5_000;
/** A grant in steady use is looked at ahead of that, so that nobody waits for it. */
const CHECK_AHEAD = 2_500;
/** While a refresh that is due is being made, or the provider fails. */
const DUE_AGAIN = 1_000;
/** `used_at` is this exact. */
const TOUCHED = 60_000;
/** The longest that somebody else's claim can hold, and the time to do it oneself. */
const PATIENCE = 90_000;
/** Of an ID token, as of an access token: time on the way. */
const ID_TOKEN_MARGIN = 10_000;
const DAY = 86_400_000;
/** An upstream that refuses the successor too has another reason than the token's age: it does not get a new one for each call. */
const REFUSED_AGAIN = 30_000;

/** A grant with living tokens, opened for use. Times are this process's clock. */
export interface Opened {
  readonly grantId: string;
  readonly userId: string;
  readonly provider: string;
  readonly version: number;
  readonly accessToken: Credential;
  readonly idToken: Credential | null;
  /** Whether a refresh may bring an ID token where this one has none that lives. */
  readonly idTokenRenewable: boolean;
}

export interface OpenedGrants {
  /**
   * The grant with an access token that lives; synchronous when warm. One that is due goes on being used while it is refreshed.
   * @throws AppError `reauth_required`, `unavailable`, `seal_broken`, `not_found` when the grant is gone
   */
  get(grantId: string): Opened | Promise<Opened>;
  /** Sees to a newer version than one that was refused, at most once for each. */
  renew(grantId: string, version: number): Promise<void>;
  /** The row is not what it was. */
  forget(grantId: string): void;
}

interface Entry {
  readonly opened: Opened;
  checkedAt: number;
}

export function createOpenedGrants(deps: {
  store: Pick<GrantStore, 'read' | 'touch'>;
  sealer: KeyringSealer;
  refresh: Pick<Refresh, 'run'>;
  refusals: Refusals;
  runtime: Runtime;
  log: Logger;
  lookups?: Lookups;
}): OpenedGrants {
  const { store, sealer, refresh, refusals, runtime, log, lookups = { hits: 0, misses: 0 } } = deps;
  const now = () => runtime.now();
  const entries = new ExpiringCache<Entry>({ max: MAX_OPENED, now });
  const touched = new ExpiringCache<true>({ max: MAX_OPENED, now });
  const renewals = new ExpiringCache<Promise<RefreshOutcome>>({ max: MAX_OPENED, now });
  /** By grant: the version that a forced refresh has just brought. */
  const renewed = new ExpiringCache<number>({ max: MAX_OPENED, now });
  const loads = new Map<string, Promise<Opened>>();

  function get(grantId: string): Opened | Promise<Opened> {
    touch(grantId);
    const entry = entries.get(grantId);
    const age = entry === undefined ? CHECKED : now() - entry.checkedAt;
    if (entry === undefined || age >= CHECKED) {
      lookups.misses += 1;
      return load(grantId);
    }
    lookups.hits += 1;
    if (age >= CHECK_AHEAD) load(grantId).catch(() => {});
    return entry.opened;
  }

  /** Everybody who comes while a grant is loaded, and refreshed where that is needed first, shares it. */
  function load(grantId: string): Promise<Opened> {
    let loading = loads.get(grantId);
    if (loading === undefined) {
      const mine: Promise<Opened> = living(grantId, (grant, at) =>
        admit(grant, at, () => loads.get(grantId) === mine),
      )
        .catch((error: unknown) => {
          throw asUnavailable(error);
        })
        .finally(() => {
          if (loads.get(grantId) === mine) loads.delete(grantId);
        });
      loading = mine;
      loads.set(grantId, mine);
    }
    return loading;
  }

  /** Reads until there is an access token that lives, and refreshes in between. */
  async function living(grantId: string, admitted: (grant: Grant, at: number) => Opened): Promise<Opened> {
    for (;;) {
      const at = now();
      const grant = await store.read(grantId);
      if (grant === null) throw GONE;
      if (grant.state === 'reauth_required') throw refusals.reauth(grant.provider);
      if (usableUntil(grant) > grant.now) return admitted(grant, at);
      const outcome = await patiently(grant, { wanting: grant.version, refused: false });
      if (outcome.is === 'gone') throw GONE;
      if (outcome.is === 'reauth-required') throw refusals.reauth(grant.provider);
      if (outcome.is === 'unavailable')
        throw refusals.unavailable(grant.provider, (outcome.until ?? grant.now) - grant.now);
    }
  }

  async function patiently(grant: Grant, wish: Wish): Promise<RefreshOutcome> {
    const over = new AbortController();
    const impatient = runtime
      .sleep(PATIENCE, over.signal)
      .then(() => ({ is: 'unavailable', until: null }) as const);
    impatient.catch(() => {});
    try {
      return await Promise.race([refresh.run(grant.id, wish), impatient]);
    } finally {
      over.abort();
    }
  }

  /** @param current whether nothing was said of the grant since it was read: then it may be kept */
  function admit(grant: Grant, at: number, current: () => boolean): Opened {
    const due = at + (dueAt(grant) - grant.now);
    if (due <= at) refreshBehind(grant);
    const known = entries.get(grant.id);
    const opened = known?.opened.version === grant.version ? known.opened : open(grant, at);
    if (current()) {
      const until = Math.min(at + KEPT, opened.accessToken.expiresAt, due > at ? due : at + DUE_AGAIN);
      entries.set(grant.id, { opened, checkedAt: at }, until);
    }
    return opened;
  }

  /** Nobody waits for a refresh while the token lives. */
  function refreshBehind(grant: Grant): void {
    if (!grant.hasRefreshToken || grant.state !== 'idle' || grant.retryAt > grant.now) return;
    refresh
      .run(grant.id, { wanting: grant.version, refused: false })
      .catch((error: unknown) =>
        log.warn({ err: error, grant: grant.id }, 'a grant that is due was not refreshed'),
      );
  }

  function open(grant: Grant, at: number): Opened {
    const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    const credential = (token: string, expiresAt: number): Credential =>
      Object.freeze({
        header: 'authorization',
        value: `Bearer ${token}`,
        expiresAt,
        source: Object.freeze({ grantId: grant.id, version: grant.version }),
      });
    const idToken = tokens.id_token;
    return Object.freeze({
      grantId: grant.id,
      userId: grant.userId,
      provider: grant.provider,
      version: grant.version,
      accessToken: credential(tokens.access_token, at + (usableUntil(grant) - grant.now)),
      idToken: idToken === undefined ? null : credential(idToken, expiryOf(idToken) - ID_TOKEN_MARGIN),
      idTokenRenewable: idToken !== undefined && tokens.id_token_kept === undefined && grant.hasRefreshToken,
    });
  }

  async function renew(grantId: string, version: number): Promise<void> {
    const known = entries.get(grantId);
    if (known !== undefined && known.opened.version > version) return;
    if (renewed.get(grantId) === version) return;
    const key = `${grantId} ${version}`;
    let renewal = renewals.get(key);
    if (renewal === undefined) {
      renewal = refresh.run(grantId, { wanting: version, refused: true });
      renewals.set(key, renewal, now() + DAY);
    }
    const outcome = await renewal.catch(() => null);
    // The provider's failure is not the token's: after its backoff it may be asked again.
    if (outcome === null || outcome.is === 'unavailable') renewals.delete(key);
    if (outcome?.is === 'usable') renewed.set(grantId, outcome.version, now() + REFUSED_AGAIN);
    if (entries.get(grantId)?.opened.version === version) forget(grantId);
  }

  function forget(grantId: string): void {
    entries.delete(grantId);
    loads.delete(grantId);
  }

  function touch(grantId: string): void {
    if (touched.get(grantId)) return;
    touched.set(grantId, true, now() + TOUCHED);
    store
      .touch(grantId)
      .catch((error: unknown) =>
        log.warn({ err: error, grant: grantId }, 'the use of a grant could not be noted'),
      );
  }

  return { get, renew, forget };
}

const GONE = new AppError('not_found', 'There is no such grant.');

/** What is not ours is the database's: it comes back. */
function asUnavailable(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError(
    'unavailable',
    'The gateway cannot get at your tokens just now: try again in a moment',
    {
      cause: error,
      headers: { 'retry-after': '2' },
    },
  );
}

/** `exp` of a JWT that was validated when it came, epoch milliseconds; 0 for what has none. */
function expiryOf(jwt: string): number {
  try {
    return (decodeJwt(jwt).exp ?? 0) * 1_000;
  } catch {
    return 0;
  }
}
