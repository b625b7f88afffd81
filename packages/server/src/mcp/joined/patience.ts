import { ExpiringCache } from '../../platform/cache.ts';
import { AppError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import type { Runtime } from '../../platform/runtime.ts';
import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';

/** How long all wait for one, milliseconds: first, and while it is known to be slow. */
const WAIT = 5_000;
const WAIT_FOR_SLOW = 250;
/** And how long that is remembered, milliseconds. */
const REMEMBERED = 60_000;
const MOST = 10_000;

/** What all are asked is waited for so long, and no longer: one that is slow or gone takes nobody with it. */
export interface Patience {
  /** @throws whatever kept an answer from coming, or AppError `upstream_timeout`; one that comes late still ends the doubt */
  within<T>(principal: Principal, upstream: Upstream, ask: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export function createPatience(deps: {
  runtime: Pick<Runtime, 'now' | 'sleep'>;
  /** How it went, for who looks after upstreams. */
  failing: { record(outcome: { upstream: Upstream; result: 'ok' | 'upstream_error'; status: number }): void };
  log: Pick<Logger, 'warn'>;
}): Patience {
  const { runtime, failing, log } = deps;
  const slow = new ExpiringCache<true>({ max: MOST, now: runtime.now });
  const said = new ExpiringCache<true>({ max: MOST, now: runtime.now });

  function failed(key: string, upstream: Upstream, { message: reason }: Error): void {
    failing.record({ upstream, result: 'upstream_error', status: 502 });
    if (said.get(key) === undefined)
      log.warn({ upstream: upstream.id, reason }, 'left out of the joined MCP endpoint');
    said.set(key, true, runtime.now() + REMEMBERED);
  }

  return {
    async within(principal, upstream, ask) {
      const key = `${principal.userId}\n${upstream.id}`;
      const given = slow.get(key) === undefined ? WAIT : WAIT_FOR_SLOW;
      const over = new AbortController();
      const answered = new AbortController();
      const asking = ask(over.signal).finally(() => answered.abort());
      const late = runtime.sleep(given, answered.signal).then(() => {
        slow.set(key, true, runtime.now() + REMEMBERED);
        throw new AppError('upstream_timeout', `The upstream ${upstream.id} did not answer in time.`);
      });
      late.catch(() => {});
      asking.then(
        () => {
          slow.delete(key);
          said.delete(key);
          failing.record({ upstream, result: 'ok', status: 200 });
        },
        () => {},
      );
      // Those who waited went without it; it may have its whole time all the same.
      runtime.sleep(WAIT, answered.signal).then(
        () => over.abort(),
        () => {},
      );
      try {
        return await Promise.race([asking, late]);
      } catch (error) {
        failed(key, upstream, error as Error);
        throw error;
      }
    },
  };
}
