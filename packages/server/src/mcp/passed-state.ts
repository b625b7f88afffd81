import type { Principal } from '../terms/principal.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Upstream } from '../terms/upstream.ts';
import { isObject, isRequest, type Message, parseJson } from './json-rpc.ts';
import { noState } from './refusal.ts';

const PLACE = 'mcp passed state';
/** What a server may answer with a question (Multi Round-Trip Requests, "Supported Requests"). */
const ASKING: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

interface Passed {
  readonly userId: string;
  readonly upstreamId: string;
  readonly state: string;
}

/**
 * A modern server's `requestState` on its way through: the server may know all of the gateway's callers by one credential, and could not tell whose it is.
 * Sealed for who was given it and the server it came from; what it means, and how long it is good, is the server's affair.
 */
export interface PassedStates {
  canBeAsked(message: Message): boolean;
  /** An answer as the client is to get it. */
  seal(principal: Principal, upstream: Upstream, answer: unknown): unknown;
  /** A request as the server is to get it; the same where nothing is carried. @throws Refusal 404 for what is not this principal's, of this server */
  open(principal: Principal, upstream: Upstream, message: Message): Message;
}

export function createPassedStates({ sealer }: { sealer: Sealer }): PassedStates {
  function opened(sealed: unknown): Passed | null {
    if (typeof sealed !== 'string') return null;
    try {
      const passed = parseJson(sealer.open(sealed, PLACE));
      return isObject(passed) ? (passed as unknown as Passed) : null;
    } catch {
      return null;
    }
  }

  return {
    canBeAsked: message => isRequest(message) && ASKING.has(message.method),
    seal({ userId }, upstream, answer) {
      const result = isObject(answer) ? answer['result'] : undefined;
      if (!isObject(result) || typeof result['requestState'] !== 'string') return answer;
      const passed: Passed = { userId, upstreamId: upstream.id, state: result['requestState'] };
      const requestState = sealer.seal(JSON.stringify(passed), PLACE);
      return { ...(answer as object), result: { ...result, requestState } };
    },
    open(principal, upstream, message) {
      if (!isRequest(message) || !ASKING.has(message.method)) return message;
      const requestState = message.params?.['requestState'];
      if (requestState === undefined) return message;
      const passed = opened(requestState);
      if (passed?.userId !== principal.userId || passed.upstreamId !== upstream.id) throw noState(message.id);
      return { ...message, params: { ...message.params, requestState: passed.state } };
    },
  };
}
