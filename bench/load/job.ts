/** What the load generator is asked to do. */
export interface Job {
  /**
   * - `closed`: every connection sends its next request when it has its answer
   * - `paced`: `rate` requests a second, whatever becomes of the earlier ones
   * - `streams`: every connection holds an event stream whose events carry the time of their writing
   * - `hold`: opens streams and keeps them open until `release`
   * - `release`: closes what `hold` has opened
   */
  readonly kind: 'closed' | 'paced' | 'streams' | 'hold' | 'release';
  readonly port: number;
  /** A whole HTTP/1.1 request, head and body; of several, each connection sends another one. */
  readonly request: string | readonly string[];
  readonly connections: number;
  /** Requests a second; only for `paced`. */
  readonly rate: number;
  /** Milliseconds before the measurement begins, and of the measurement. */
  readonly warmup: number;
  readonly duration: number;
  /** The process under measurement; its processor time is read at both ends of the window. 0 for none. */
  readonly candidate: number;
  /** What shares the generator's core: with the generator's own, this tells whether the load was the limit. */
  readonly upstream: number;
}

/** What was seen within the measurement's window. */
export interface Seen {
  /** Requests answered with 200, or events received. */
  readonly count: number;
  /** Any other status, and connections that broke. */
  readonly errors: number;
  readonly seconds: number;
  /** Microseconds from sending (or, where no connection was free, from being due) to the last byte of the answer. */
  readonly p50: number;
  readonly p99: number;
  /** Processor time of the candidate, microseconds. */
  readonly candidateTime: number;
  /** Share of its core that generator and upstream used, 0 to 1. */
  readonly loadBusy: number;
}
