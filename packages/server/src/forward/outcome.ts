import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';

/** How one call ended, for the audit, the metrics and the log. Made on the hot path: plain and small. */
export interface Outcome {
  readonly principal: Principal | null;
  readonly upstream: Upstream | null;
  /** What went to the upstream for the principal; null where nothing did. */
  readonly credential: Credential | null;
  /** `ok`, `client_error`, `upstream_error`, `refused` (by us), `broken` (upstream died midway), `abandoned` (client left). */
  readonly result: 'ok' | 'client_error' | 'upstream_error' | 'refused' | 'broken' | 'abandoned';
  /** As the client saw it; 0 when it saw none. */
  readonly status: number;
  readonly method: string;
  readonly requestId: string;
  /** Of the trace that it belongs to, ours or the caller's. */
  readonly traceId: string | null;
  /** Where it came from; behind trusted proxies, what they say. */
  readonly address: string | undefined;
  /** Milliseconds from the request's head to the response's end. */
  readonly took: number;
}
