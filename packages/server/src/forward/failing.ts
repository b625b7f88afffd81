import type { Runtime } from '../platform/runtime.ts';
import type { Outcome } from './outcome.ts';

/** So many failures in a row are no accident. */
const IN_A_ROW = 3;
/** An upstream that nobody has asked for so long may be well again, milliseconds. */
const FORGOTTEN = 15 * 60_000;

/** An upstream that fails, as its last calls say. Ephemeral: a restarted gateway learns it anew. */
export interface Failing {
  /** Epoch milliseconds of the first failure since it last worked. */
  readonly since: number;
  readonly said: string;
}

interface Streak {
  readonly since: number;
  count: number;
  last: number;
  said: string;
}

/**
 * Which upstreams fail, learned from the calls that pass anyway.
 * @param deps.changed an upstream has begun to fail, or works again
 */
export function createFailing(deps: { runtime: Pick<Runtime, 'now'>; changed(upstreamId: string): void }) {
  const streaks = new Map<string, Streak>();

  return {
    /** On the hot path: while all is well it is one comparison. */
    record({ upstream, result, status }: Pick<Outcome, 'upstream' | 'result' | 'status'>): void {
      if (upstream === null) return;
      if (result === 'upstream_error' || result === 'broken') failed(upstream.id, wordsFor(result, status));
      else if (streaks.size > 0 && (result === 'ok' || result === 'client_error')) worked(upstream.id);
    },

    of(upstreamId: string): Failing | null {
      const streak = streaks.get(upstreamId);
      if (streak === undefined || streak.count < IN_A_ROW) return null;
      return deps.runtime.now() - streak.last < FORGOTTEN ? streak : null;
    },
  };

  function failed(id: string, said: string): void {
    const now = deps.runtime.now();
    const known = streaks.get(id);
    if (known === undefined || now - known.last >= FORGOTTEN) {
      streaks.set(id, { since: now, count: 1, last: now, said });
      return;
    }
    known.count += 1;
    known.last = now;
    known.said = said;
    if (known.count === IN_A_ROW) deps.changed(id);
  }

  function worked(id: string): void {
    const known = streaks.get(id);
    if (known === undefined) return;
    streaks.delete(id);
    if (known.count >= IN_A_ROW) deps.changed(id);
  }
}

function wordsFor(result: Outcome['result'], status: number): string {
  if (result === 'broken') return 'Its last answers broke off midway.';
  if (status === 504) return 'It did not answer its last calls in time.';
  return `Its last calls ended with an error (${status}).`;
}
