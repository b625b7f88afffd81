import { AppError } from './errors.ts';

/** So many acts in a time, refilled evenly. */
export interface Rate {
  readonly burst: number;
  /** Milliseconds in which a spent bucket fills again. */
  readonly per: number;
}

export interface RateLimit {
  /** @throws AppError `rate_limited` with `retry-after` (RFC 6585 §4, RFC 9110 §10.2.3) when the bucket of `key` is empty */
  take(key: string): void;
}

/** Enough for every address that can hurt a small machine; past it the oldest bucket makes room. */
const MAX_BUCKETS = 50_000;

/** A token bucket for each key (an address, a principal), in this process. */
export function createRateLimit(rate: Rate, now: () => number): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const refill = rate.burst / rate.per;
  return {
    take(key) {
      const time = now();
      const bucket = buckets.get(key) ?? { tokens: rate.burst, at: time };
      const tokens = Math.min(rate.burst, bucket.tokens + (time - bucket.at) * refill);
      buckets.delete(key);
      if (buckets.size >= MAX_BUCKETS) buckets.delete(buckets.keys().next().value!);
      buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: time });
      if (tokens >= 1) return;
      const seconds = Math.ceil((1 - tokens) / refill / 1_000);
      throw new AppError('rate_limited', `Too many tries; try again in ${seconds} s.`, {
        headers: { 'retry-after': String(seconds) },
      });
    },
  };
}
