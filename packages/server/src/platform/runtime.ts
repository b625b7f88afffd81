import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** Time, randomness and the network, injected so that tests own them. */
export interface Runtime {
  /** Epoch milliseconds. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
  random(bytes: number): Buffer;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemRuntime: Runtime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: bytes => randomBytes(bytes),
  sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
};
