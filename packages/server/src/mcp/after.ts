import type { Runtime } from '../platform/runtime.ts';

/** Does something after so many milliseconds, unless it is called off. @returns how to call it off */
export function after(runtime: Pick<Runtime, 'sleep'>, ms: number, act: () => void): () => void {
  const off = new AbortController();
  runtime.sleep(ms, off.signal).then(act, () => {});
  return () => off.abort();
}
