import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AppError } from '../platform/errors.ts';
import type { Principal } from './principal.ts';
import type { Transport } from './transport.ts';
import type { Upstream } from './upstream.ts';

/** One request of the data plane, as `http` hands it over, and as much of it as a room needs that answers under a path of its own. */
export interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  /** Of the request target, not yet checked. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string | undefined;
  readonly body: { discard(): void };
}

/** Where a call goes. `via` stands before the way to the upstream: it may send something else there, or several things, and reads what comes back. */
export interface Destination {
  readonly upstream: Upstream;
  readonly path: string;
  readonly via: (way: Transport) => Transport;
}

/** The sentence that every call walks: authenticate → find → authorize → credential → send → record. */
export interface Forward {
  /** Who calls; the first step of every call. @throws AppError */
  authenticate(call: Call): Principal | Promise<Principal>;
  handle(
    call: Call,
    find: (principal: Principal) => Destination | Promise<Destination>,
    surface: {
      readonly route: string;
      answer(call: Call, error: AppError): void;
      /** What is said of an upstream that is not there, and of one that is not the caller's. */
      readonly unknown?: () => AppError;
    },
  ): void;
}
