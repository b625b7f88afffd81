import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { isObject, type Params, type Request } from './json-rpc.ts';

/**
 * How a tool call ended: `ok`, `tool_error` (the tool says it failed), `error` (the server does), `input_required` (it asks back, and the call comes again),
 * `refused` (by us), `broken` (no answer came), `abandoned` (the client went).
 */
export type ToolOutcome =
  | 'ok'
  | 'tool_error'
  | 'error'
  | 'input_required'
  | 'refused'
  | 'broken'
  | 'abandoned';

/** Characters of arguments that are kept, where they are. */
const KEPT = 4_096;

/** One call of a tool, remembered once: when it has ended. */
export interface ToolCall {
  end(outcome: ToolOutcome): void;
}

export interface ToolCalls {
  begin(caller: { principal: Principal; upstream: Upstream; address: string }, request: Request): ToolCall;
}

/** Who called which tool, how long it took and how it ended; with which arguments only where the upstream's definition says so. */
export function createToolCalls(deps: { audit: Audit; runtime: Pick<Runtime, 'monotonic'> }): ToolCalls {
  const { audit, runtime } = deps;
  return {
    begin({ principal, upstream, address }, { params }) {
      const began = runtime.monotonic();
      let ended = false;
      return {
        end(outcome) {
          if (ended) return;
          ended = true;
          audit.record({
            action: 'tool.call',
            userId: principal.userId,
            credentialId: principal.credentialId,
            address,
            target: upstream.id,
            detail: {
              tool: String(params?.['name'] ?? '').slice(0, 200),
              outcome,
              ms: Math.round(runtime.monotonic() - began),
              ...(upstream.mcp?.recordArguments === true && {
                arguments: (JSON.stringify(params?.['arguments']) ?? '').slice(0, KEPT),
              }),
            },
          });
        },
      };
    },
  };
}

/** What an answer to `tools/call` says of how it went. */
export function outcomeOf(
  answer: { readonly result?: Params; readonly error?: unknown } | null,
): ToolOutcome {
  if (answer === null) return 'broken';
  if (isObject(answer.error)) return 'error';
  const result = answer.result;
  if (result?.['resultType'] === 'input_required') return 'input_required';
  return result?.['isError'] === true ? 'tool_error' : 'ok';
}
