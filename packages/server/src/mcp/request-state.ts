import { sha256 } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Upstream } from '../terms/upstream.ts';
import { type Id, isObject, parseJson, type Request } from './json-rpc.ts';
import { noState, stateGone } from './refusal.ts';

const PLACE = 'mcp request state';
/** How long a call waits for its client to come back, milliseconds. */
export const PARKED_FOR = 10 * 60_000;

interface State {
  readonly userId: string;
  readonly upstreamId: string;
  /** The parked call, and the turn that it may be resumed at: each is good for one retry. */
  readonly call: string;
  readonly turn: number;
  readonly digest: string;
  readonly until: number;
}

/**
 * What a client carries from an `input_required` to its retry. It comes back as hostile input (Multi Round-Trip Requests, "Server
 * Requirements" 4, 5): sealed, and good for this principal, server, request and time alone.
 */
export function createRequestStates(deps: { sealer: Sealer; runtime: Pick<Runtime, 'now'> }) {
  const { sealer, runtime } = deps;
  return {
    seal(principal: Principal, upstream: Upstream, request: Request, call: string, turn: number): string {
      const state: State = {
        userId: principal.userId,
        upstreamId: upstream.id,
        call,
        turn,
        digest: digestOf(request),
        until: runtime.now() + PARKED_FOR,
      };
      return sealer.seal(JSON.stringify(state), PLACE);
    },
    /** @throws Refusal 404 for what is not this principal's; 400 for what is over, or of another request */
    open(principal: Principal, upstream: Upstream, request: Request): { call: string; turn: number } {
      const state = opened(sealer, request.params?.['requestState'], request.id);
      if (state.userId !== principal.userId || state.upstreamId !== upstream.id) throw noState(request.id);
      if (state.until <= runtime.now() || state.digest !== digestOf(request)) throw stateGone(request.id);
      return state;
    },
  };
}

export type RequestStates = ReturnType<typeof createRequestStates>;

function opened(sealer: Sealer, sealed: unknown, id: Id): State {
  let state: unknown;
  try {
    state = typeof sealed === 'string' ? parseJson(sealer.open(sealed, PLACE)) : null;
  } catch {
    throw noState(id);
  }
  if (!isObject(state)) throw noState(id);
  return state as unknown as State;
}

/** What makes a request the same one again: all but what a retry brings, in whatever order it is written. */
function digestOf({ method, params }: Request): string {
  const { inputResponses: _inputs, requestState: _state, _meta, ...rest } = params ?? {};
  return sha256(JSON.stringify([method, sorted(rest)]));
}

export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map(key => [key, sorted(value[key])]),
  );
}
