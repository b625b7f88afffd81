import { networkOf } from '../platform/client-address.ts';
import { createRateLimit, type Rate, type RateLimit } from '../platform/rate-limit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Rated } from './policy.ts';

/** How often each kind of route may be called. Null: as often as one likes. */
export type RouteRates = Readonly<
  Record<Rated, { readonly address: Rate | null; readonly principal: Rate | null }>
>;

export interface Throttle {
  /** Before it is known who calls. @throws AppError `rate_limited` */
  byAddress(rated: Rated, address: string): void;
  /** By user: several credentials are not several people. @throws AppError `rate_limited` */
  byPrincipal(rated: Rated, principal: Principal): void;
}

/** Slows down who calls the routes that make or hand out credentials too often; each route says which kind it is of. */
export function createThrottle(rates: RouteRates, now: () => number): Throttle {
  const limit = (rate: Rate | null): RateLimit | null => (rate === null ? null : createRateLimit(rate, now));
  const limits = new Map(
    Object.entries(rates).map(([rated, { address, principal }]) => [
      rated as Rated,
      { address: limit(address), principal: limit(principal) },
    ]),
  );
  return {
    byAddress: (rated, address) => limits.get(rated)!.address?.take(networkOf(address)),
    byPrincipal: (rated, principal) => limits.get(rated)!.principal?.take(principal.userId),
  };
}
