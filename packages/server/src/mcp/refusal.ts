import { AppError, type ErrorCode } from '../platform/errors.ts';
import type { Id, Params, RpcError } from './json-rpc.ts';
import { CODE, MODERN } from './protocol.ts';

/** A refusal of ours in the protocol's own terms: an HTTP status, and the error of a JSON-RPC response. */
export class Refusal extends AppError {
  readonly rpc: RpcError;
  /** Of the request that is refused, where it was understood that far. */
  readonly id: Id | null;

  constructor(code: ErrorCode, rpc: RpcError, id: Id | null = null, headers: Record<string, string> = {}) {
    super(code, rpc.message, { headers });
    this.rpc = rpc;
    this.id = id;
  }
}

const bad = (code: number, message: string, id: Id | null = null): Refusal =>
  new Refusal('bad_request', { code, message }, id);

export const notJson = (): Refusal => bad(CODE.parse, 'The body is not JSON.');
export const notOneMessage = (): Refusal =>
  bad(CODE.invalidRequest, 'The body has to be one JSON-RPC 2.0 message.');
export const notPlain = (): Refusal =>
  bad(CODE.invalidRequest, 'A tool call has an id, and no member is named twice in letters of another case.');
export const sessionMissing = (id: Id | null): Refusal =>
  bad(CODE.refused, 'Mcp-Session-Id is missing: initialize first, or say the protocol version in _meta.', id);
export const missingMeta = (id: Id | null, key: string): Refusal =>
  bad(CODE.invalidParams, `_meta lacks ${key}.`, id);
export const headerMismatch = (id: Id | null, why: string): Refusal =>
  bad(CODE.headerMismatch, `Header mismatch: ${why}.`, id);

export const missingCapability = (id: Id | null, requiredCapabilities: Params): Refusal =>
  new Refusal(
    'bad_request',
    {
      code: CODE.missingCapability,
      message: 'The client lacks a capability that this needs.',
      data: { requiredCapabilities },
    },
    id,
  );

/** Versioning, "Protocol Version Negotiation". */
export const unsupportedVersion = (
  id: Id | null,
  requested: unknown,
  supported: readonly string[] = [MODERN],
): Refusal =>
  new Refusal(
    'bad_request',
    {
      code: CODE.unsupportedVersion,
      message: 'Unsupported protocol version',
      data: { supported, requested },
    },
    id,
  );

export const unknownMethod = (id: Id | null, method: string): Refusal =>
  new Refusal(
    'not_found',
    { code: CODE.unknownMethod, message: `Method not found: ${method.slice(0, 100)}` },
    id,
  );

export const invalidCursor = (): Refusal => bad(CODE.invalidParams, 'There is no such cursor.');

/** A `requestState` that is not one of ours, or another's: as if it did not exist. */
export const noState = (id: Id | null): Refusal =>
  new Refusal('not_found', { code: CODE.invalidParams, message: 'There is no such requestState.' }, id);

/** One of ours that is spent, expired, of another request, or of a gateway that was restarted since. We never run a call a second time ourselves. */
export const stateGone = (id: Id | null): Refusal =>
  bad(
    CODE.invalidParams,
    'What this requestState stands for is over: make the call again, without requestState and inputResponses.',
    id,
  );

export const tooMany = (what: string): Refusal =>
  new Refusal(
    'unavailable',
    { code: CODE.refused, message: `There are too many ${what} open; end some, or wait.` },
    null,
    {
      'retry-after': '5',
    },
  );

/** Whoever else's it is, or whether it ever was: one answer (wire rule "Isolation"). */
export const noSession = (id: Id | null = null): Refusal =>
  new Refusal('not_found', { code: CODE.noSession, message: 'Session not found: initialize again.' }, id);

export const toolDenied = (id: Id | null, tool: string, upstream: string): Refusal =>
  new Refusal(
    'forbidden',
    {
      code: CODE.refused,
      message: `You may not call the tool ${JSON.stringify(tool.slice(0, 100))} of ${upstream}; ask an admin of this gateway for access.`,
    },
    id,
  );

export const methodNotAllowed = (allow: string): Refusal =>
  new Refusal(
    'method_not_allowed',
    { code: CODE.refused, message: 'Method not allowed: there is no session to stream from or to end.' },
    null,
    { allow },
  );

export const tooLarge = (): Refusal =>
  new Refusal('body_too_large', { code: CODE.refused, message: 'The message is larger than 16 MiB.' });
