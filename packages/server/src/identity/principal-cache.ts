import { ExpiringCache, type Lookups } from '../platform/cache.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';

/** How long a lost invalidation may cost, milliseconds: no principal is answered from memory for longer. */
const TTL = 5_000;
const MAX = 50_000;

/** A principal as just read from the database, and when its credential ends (epoch milliseconds). */
export interface Loaded {
  readonly principal: Principal;
  readonly expiresAt: number;
}

/**
 * Principals by the hash of the credential that was shown. Warm, a look-up is synchronous; cold, concurrent look-ups of
 * one credential share one load. Only valid credentials are kept, so that a flood of guesses displaces nobody.
 */
export class PrincipalCache {
  readonly #known: ExpiringCache<Principal>;
  readonly #loading = new Map<string, Promise<Principal>>();
  readonly #now: () => number;
  #forgotten = 0;
  readonly #lookups: Lookups;

  constructor(runtime: Pick<Runtime, 'now'>, lookups: Lookups = { hits: 0, misses: 0 }) {
    this.#lookups = lookups;
    this.#now = () => runtime.now();
    this.#known = new ExpiringCache({ max: MAX, now: this.#now });
  }

  /** @param load throws for a credential that is not valid */
  lookup(hash: string, load: () => Promise<Loaded>): Principal | Promise<Principal> {
    const known = this.#known.get(hash);
    if (known !== undefined) {
      this.#lookups.hits += 1;
      return known;
    }
    this.#lookups.misses += 1;
    return this.#loading.get(hash) ?? this.#load(hash, load);
  }

  forget(matches: (principal: Principal) => boolean): void {
    this.#forgotten += 1;
    this.#loading.clear();
    this.#known.deleteWhere(matches);
  }

  #load(hash: string, load: () => Promise<Loaded>): Promise<Principal> {
    const before = this.#forgotten;
    const loading = load()
      .then(({ principal, expiresAt }) => {
        // What was read before a revocation must not be remembered after it.
        if (before === this.#forgotten)
          this.#known.set(hash, principal, Math.min(this.#now() + TTL, expiresAt));
        return principal;
      })
      .finally(() => {
        if (this.#loading.get(hash) === loading) this.#loading.delete(hash);
      });
    this.#loading.set(hash, loading);
    return loading;
  }
}
