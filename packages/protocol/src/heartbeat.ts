import { DEAD_AFTER, PING_AFTER } from './limits.ts';

/** Time, injected so that tests own it. */
export interface Clock {
  /** Milliseconds that never go back. */
  monotonic(): number;
  /** Rejects when the signal aborts. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Asks the other end whether it lives when nothing was heard of it for 15 s (HTTP/2 PING, RFC 9113 section 6.7: a peer answers it at once, so
 * that both ends need no more than their own), and says so when that was 30 s: a network that swallows everything is noticed in that time.
 * @returns stops it
 */
export function startHeartbeat(deps: {
  session: { ping(heard: () => void): unknown; readonly destroyed: boolean };
  stream: { readonly heardAt: number };
  clock: Clock;
  dead(): void;
}): () => void {
  const { session, stream, clock } = deps;
  const over = new AbortController();

  async function beat(): Promise<void> {
    let asked = false;
    for (;;) {
      const silence = clock.monotonic() - stream.heardAt;
      if (silence >= DEAD_AFTER) return deps.dead();
      if (silence < PING_AFTER) asked = false;
      else if (!asked && !session.destroyed) {
        asked = true;
        session.ping(() => {});
      }
      await clock.sleep(Math.max(1, (asked ? DEAD_AFTER : PING_AFTER) - silence), over.signal);
    }
  }

  beat().catch(() => {});
  return () => over.abort();
}
