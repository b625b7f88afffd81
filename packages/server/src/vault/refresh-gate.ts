import type { Runtime } from '../platform/runtime.ts';

/** What one provider is asked for by one process, however many grants fall due together. */
export interface RefreshPace {
  readonly atOnce: number;
  readonly perSecond: number;
}

export const REFRESH_PACE: RefreshPace = { atOnce: 50, perSecond: 500 };

/** Callers enter in the order they came; whoever entered leaves by what was returned, once or more. */
export interface RefreshGate {
  enter(provider: string): Promise<() => void>;
}

interface Lane {
  inside: number;
  readonly waiting: (() => void)[];
  /** Monotonic milliseconds at which the next may go; in the past while the pace is kept easily. */
  nextAt: number;
}

/** Holds back refreshes that are asked for together, for a provider that counts requests would begin to refuse them. */
export function createRefreshGate(
  pace: RefreshPace,
  runtime: Pick<Runtime, 'monotonic' | 'sleep'>,
): RefreshGate {
  /** By provider: as many as there are. */
  const lanes = new Map<string, Lane>();
  const step = 1_000 / pace.perSecond;

  function leave(lane: Lane): void {
    const next = lane.waiting.shift();
    if (next === undefined) lane.inside -= 1;
    else next();
  }

  return {
    async enter(provider) {
      let lane = lanes.get(provider);
      if (lane === undefined)
        lanes.set(provider, (lane = { inside: 0, waiting: [], nextAt: Number.NEGATIVE_INFINITY }));
      const mine = lane;
      if (mine.inside < pace.atOnce) mine.inside += 1;
      else await new Promise<void>(resolve => mine.waiting.push(resolve));

      const now = runtime.monotonic();
      const at = Math.max(mine.nextAt, now - step * pace.atOnce);
      mine.nextAt = at + step;
      if (at > now) await runtime.sleep(at - now);

      let inside = true;
      return () => {
        if (inside) leave(mine);
        inside = false;
      };
    },
  };
}
