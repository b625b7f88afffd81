import type { Clock } from '@sallyport/protocol/heartbeat.ts';

/** A program that ran for so long was well, milliseconds. */
const WELL = 60_000;
const FIRST = 250;
const LONGEST = 30_000;

/** Lets a program that ends again and again be started ever less often. */
export function createRestarts(clock: Clock) {
  let crashes = 0;
  let notBefore = 0;
  return {
    /** A program ended that nobody told to. @param startedAt of the monotonic clock */
    ended(startedAt: number): void {
      const now = clock.monotonic();
      crashes = now - startedAt >= WELL ? 1 : crashes + 1;
      notBefore = now + Math.min(LONGEST, FIRST * 2 ** (crashes - 1));
    },
    async wait(): Promise<void> {
      const left = notBefore - clock.monotonic();
      if (left > 0) await clock.sleep(left);
    },
  };
}
