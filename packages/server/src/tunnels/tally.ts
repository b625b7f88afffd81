import type { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';

/** The share of the newest call in the mean of how long calls take. */
const NEWEST = 0.1;

/** What a tunnel's calls were, since its agent connected. Ephemeral. */
export interface Tally {
  readonly calls: number;
  readonly underWay: number;
  /** WebSockets that are open: terminals, and those of HTTP servers. */
  readonly sockets: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Mean milliseconds of the last calls; null before the first. */
  readonly latency: number | null;
  readonly lastError: { readonly at: number; readonly said: string } | null;
  /** @returns what `finished` is to be given */
  begin(): number;
  sent(bytes: number): void;
  received(bytes: number): void;
  finished(startedAt: number): void;
  failed(error: AppError): void;
  left(): void;
  /** A WebSocket was opened; @returns to be told when it is over */
  opened(): () => void;
}

export function createTally(runtime: Pick<Runtime, 'now' | 'monotonic'>): Tally {
  const tally = {
    calls: 0,
    underWay: 0,
    sockets: 0,
    bytesUp: 0,
    bytesDown: 0,
    latency: null as number | null,
    lastError: null as Tally['lastError'],
    begin() {
      tally.calls += 1;
      tally.underWay += 1;
      return runtime.monotonic();
    },
    sent(bytes: number) {
      tally.bytesUp += bytes;
    },
    received(bytes: number) {
      tally.bytesDown += bytes;
    },
    finished(startedAt: number) {
      const took = runtime.monotonic() - startedAt;
      tally.latency = tally.latency === null ? took : tally.latency + (took - tally.latency) * NEWEST;
    },
    failed(error: AppError) {
      tally.lastError = { at: runtime.now(), said: error.message };
    },
    left() {
      tally.underWay -= 1;
    },
    opened() {
      tally.sockets += 1;
      let over = false;
      return () => {
        if (!over) tally.sockets -= 1;
        over = true;
      };
    },
  };
  return tally;
}
