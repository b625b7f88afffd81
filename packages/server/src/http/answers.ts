import type { IncomingMessage, ServerResponse } from 'node:http';
import { CODE } from '../mcp/protocol.ts';
import { Refusal } from '../mcp/refusal.ts';
import { type AppError, asAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { awaitsContinue } from './continue.ts';

/** What an answer needs of a call. */
interface Answerable {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly body: { discard(): void };
}

/** An error as problem details (RFC 9457). */
export function problem(error: AppError): Record<string, unknown> {
  return {
    type: `urn:sallyport:${error.code}`,
    title: TITLES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.action === null ? {} : { action: error.action }),
  };
}

/** An error in the shape that OpenAI's clients read. */
function openaiError(error: AppError): Record<string, unknown> {
  const type =
    error.status === 401
      ? 'authentication_error'
      : error.status === 403
        ? 'permission_error'
        : error.status >= 500
          ? 'server_error'
          : 'invalid_request_error';
  return {
    error: {
      message: error.message,
      type,
      param: null,
      code: error.code,
      ...(error.action === null ? {} : { action: error.action }),
    },
  };
}

/** An error as MCP's clients read it (JSON-RPC 2.0 section 5.1). */
function rpcError(error: AppError): Record<string, unknown> {
  const rpc = error instanceof Refusal ? error.rpc : { code: CODE.refused, message: error.message };
  const data = { code: error.code, ...(error.action === null ? {} : { action: error.action }) };
  return {
    jsonrpc: '2.0',
    id: error instanceof Refusal ? error.id : null,
    error: { data, ...rpc },
  };
}

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

export interface Answers {
  problem(call: Answerable, error: AppError): void;
  openai(call: Answerable, error: AppError): void;
  /** As a response of JSON-RPC 2.0. */
  rpc(call: Answerable, error: AppError): void;
  json<C extends Answerable>(
    call: C,
    make: () => Promise<{ body: unknown; headers?: Record<string, string> }>,
    onError: (call: C, error: AppError) => void,
  ): void;
}

/** Failures of ours, with what is behind them. What is away for a moment is said without a stack: it may be said for every request. */
export function logFailure(log: Pick<Logger, 'error' | 'warn'>, requestId: string, error: AppError): void {
  if (error.status < 500) return;
  const { code, message, cause } = error;
  if (code !== 'unavailable') log.error({ requestId, error: code, err: cause ?? error }, message);
  else log.warn({ requestId, error: code, reason: reasonOf(cause) }, message);
}

/** The innermost cause that says something. */
function reasonOf(thrown: unknown): string | undefined {
  let reason: string | undefined;
  for (let cause = thrown; cause instanceof Error; cause = cause.cause)
    reason = (cause as NodeJS.ErrnoException).code ?? (cause.message || reason);
  return reason;
}

/** How the data plane's own answers are written: errors of ours in the shape that the surface speaks, with the cause in the log only. */
export function createAnswers(log: Logger): Answers {
  function write(
    call: Answerable,
    status: number,
    type: string,
    body: unknown,
    headers: Record<string, string>,
  ): void {
    const { req, res } = call;
    if (res.headersSent || res.destroyed) {
      res.destroy();
      return;
    }
    const text = JSON.stringify(body);
    if (awaitsContinue(req)) headers = { ...headers, connection: 'close' };
    call.body.discard();
    res.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': call.requestId,
      ...headers,
    });
    res.end(text);
  }

  function writeError(call: Answerable, error: AppError, type: string, body: Record<string, unknown>): void {
    logFailure(log, call.requestId, error);
    write(call, error.status, type, body, error.headers);
  }

  return {
    problem: (call, error) => writeError(call, error, 'application/problem+json', problem(error)),
    openai: (call, error) => writeError(call, error, 'application/json', openaiError(error)),
    rpc: (call, error) => writeError(call, error, 'application/json', rpcError(error)),
    json(call, make, onError) {
      make().then(
        ({ body, headers }) => write(call, 200, 'application/json', body, headers ?? {}),
        (error: unknown) => onError(call, asAppError(error)),
      );
    },
  };
}
