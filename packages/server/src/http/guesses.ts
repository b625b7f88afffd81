import type { IncomingHttpHeaders } from 'node:http';
import { ExpiringCache } from '../platform/cache.ts';
import { type AddressOf, networkOf } from '../platform/client-address.ts';
import { sha256 } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import { createRateLimit, type Rate } from '../platform/rate-limit.ts';
import type { Principal } from '../terms/principal.ts';

/** For how long a credential that was good is no guess, milliseconds. */
const REMEMBERED = 60 * 60_000;
const MAX = 50_000;

interface Proof {
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string | undefined;
}

type Authenticate<R extends Proof> = (request: R) => Principal | Promise<Principal>;

/**
 * Stops an address that shows one bad credential after the other: until its bucket has filled a little, nothing that it shows is looked up.
 * Whoever proved to be somebody within the last hour goes on from that very address, and a warm request costs nothing more.
 * @param deps.rate null: no limit
 */
export function createGuesses<R extends Proof>(deps: {
  authenticate: Authenticate<R>;
  rate: Rate | null;
  addressOf: AddressOf;
  /** Monotonic milliseconds. */
  now(): number;
}): Authenticate<R> {
  const { authenticate, rate, addressOf, now } = deps;
  if (rate === null) return authenticate;
  const limit = createRateLimit(rate, now);
  const proven = new ExpiringCache<true>({ max: MAX, now });
  /** Networks whose bucket is empty, and until when. */
  const stopped = new ExpiringCache<number>({ max: MAX, now });
  /** When the last of them goes free. */
  let free = 0;

  function refuseStopped(request: R): void {
    if (now() >= free) {
      stopped.clear();
      free = 0;
      return;
    }
    const until = stopped.get(networkOf(addressOf(request)));
    if (until === undefined || !shows(request) || proven.get(digest(request))) return;
    throw tooMany(until - now());
  }

  /** @throws what is to be answered: the refusal itself, or that there were too many */
  function count(request: R, thrown: unknown): never {
    if (!isBadProof(thrown)) throw thrown;
    proven.delete(digest(request));
    const network = networkOf(addressOf(request));
    try {
      limit.take(network);
    } catch (error) {
      const wait = Number((error as AppError).headers['retry-after']) * 1_000;
      stopped.set(network, now() + wait, now() + wait);
      free = Math.max(free, now() + wait);
      throw tooMany(wait);
    }
    throw thrown;
  }

  return request => {
    if (free > 0) refuseStopped(request);
    try {
      const found = authenticate(request);
      if (!(found instanceof Promise)) return found;
      return found.then(
        principal => {
          if (shows(request)) proven.set(digest(request), true, now() + REMEMBERED);
          return principal;
        },
        (error: unknown) => count(request, error),
      );
    } catch (error) {
      return count(request, error);
    }
  };
}

const shows = ({ headers }: Proof): boolean =>
  headers.authorization !== undefined || headers['x-api-key'] !== undefined || headers.cookie !== undefined;

const digest = ({ headers }: Proof): string =>
  sha256(`${headers.authorization ?? ''}\n${headers['x-api-key'] ?? ''}\n${headers.cookie ?? ''}`);

/** A credential was shown and is none (RFC 6750 section 3.1); one that is missing is no guess. */
const isBadProof = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'unauthenticated' &&
  error.headers['www-authenticate']?.includes('invalid_token') === true;

function tooMany(wait: number): AppError {
  const seconds = Math.max(1, Math.ceil(wait / 1_000));
  return new AppError(
    'rate_limited',
    `Too many credentials from this address were not valid; try again in ${seconds} s.`,
    { headers: { 'retry-after': String(seconds) } },
  );
}
