/** What one connection and one request may take. In milliseconds, but for what says otherwise. */
export interface ServerLimits {
  /** Bytes of all headers together; a cookie and a bearer value with hundreds of groups fit. */
  readonly headerBytes: number;
  readonly headerCount: number;
  /** Until a request's head is complete. */
  readonly headersTimeout: number;
  /** While a body is waited for, in each such time … */
  readonly bodyWindow: number;
  /** … so many bytes have to come. */
  readonly bodyBytes: number;
  /** A connection on which neither side says anything, in a request or between two packets of a stream. */
  readonly silence: number;
  /** A connection between two requests. */
  readonly keepAlive: number;
  /** What open requests get when the gateway is told to end. */
  readonly drain: number;
  /** Connections from one address. */
  readonly socketsPerAddress: number;
}

export const LIMITS: ServerLimits = {
  headerBytes: 64 * 1024,
  headerCount: 256,
  headersTimeout: 20_000,
  bodyWindow: 20_000,
  // 250 bytes a second: a mobile phone at the edge of its cell sends more.
  bodyBytes: 5_000,
  // Longer than the silence that an upstream is allowed: that one ends with a better error.
  silence: 20 * 60_000,
  keepAlive: 65_000,
  drain: 30_000,
  socketsPerAddress: 1_000,
};
