import type { Logger } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * Does something again and again until disposed, jittered by a quarter so that replicas which started together part. A failure is logged and
 * the next turn comes all the same.
 * @param ms between two turns; the first comes after one wait
 */
export function every(
  ms: number,
  name: string,
  work: () => Promise<unknown>,
  deps: { runtime: Runtime; log: Logger },
): AsyncDisposable {
  const { runtime, log } = deps;
  const over = new AbortController();
  const running = (async () => {
    for (;;) {
      await runtime.sleep(ms * (0.75 + (runtime.random(1)[0]! / 255) * 0.5), over.signal).catch(() => {});
      if (over.signal.aborted) return;
      await work().catch((error: unknown) => log.warn({ err: error }, `${name} failed; it is tried again`));
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await running;
    },
  };
}
