import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';

/** One request at the MCP endpoint, as `http` hands it over. */
export interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string | undefined;
  readonly body: { discard(): void };
}

/** Where a call goes. `via` stands before the way to the upstream: it may send something else there, or several things. */
export interface Destination {
  readonly upstream: Upstream;
  readonly path: string;
  readonly via: (way: Transport) => Transport;
}

/** The sentence that every call walks: authenticate → find → authorize → credential → send → record. */
export interface Forward {
  handle(
    call: Call,
    find: (principal: Principal) => Destination | Promise<Destination>,
    surface: { readonly route: string; answer(call: Call, error: AppError): void },
  ): void;
}
