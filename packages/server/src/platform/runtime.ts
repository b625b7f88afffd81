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

/** Small draws are cut from a large one, bytes: the generator's price is by the draw, and each call draws. */
const DRAWN = 4_096;
let drawn = Buffer.alloc(0);
let used = 0;

function random(bytes: number): Buffer {
  if (bytes > DRAWN) return randomBytes(bytes);
  if (used + bytes > drawn.length) {
    drawn = randomBytes(DRAWN);
    used = 0;
  }
  return drawn.subarray(used, (used += bytes));
}

export const systemRuntime: Runtime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random,
  sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
};
