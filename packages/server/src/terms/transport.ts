import type { Readable } from 'node:stream';

/** One request as the upstream is to receive it. */
export interface OutboundRequest {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly path: string;
  /** Names (lower case) and values in turn. */
  readonly headers: string[];
  /** Whole where it is small and has arrived, else a stream. */
  readonly body: Buffer | Readable | null;
  /** Milliseconds until the response's head must have come. */
  readonly headersTimeout: number;
}

/** What the receiver can do with a response on its way. */
export interface Flow {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** Receives one response: start, any number of data, then either end or error, once. */
export interface ResponseReceiver {
  /**
   * The request is about to be sent, and may be aborted from here on.
   * @returns false when nobody waits for the response any more: then it is not sent
   */
  begin(flow: Flow): boolean;
  /** @param headers names in lower case; a list where a header came several times */
  head(status: number, headers: Record<string, string | string[] | undefined>): void;
  data(chunk: Buffer): void;
  end(trailers: Record<string, string | string[] | undefined>): void;
  error(error: Error): void;
}

/**
 * A way to an upstream: over the network (`egress`) or through a tunnel. It streams both ways, never retries, and ends every
 * call exactly once.
 */
export interface Transport {
  send(request: OutboundRequest, receiver: ResponseReceiver): void;
}
