/** Every error code of ours with its HTTP status. Codes are part of the API: they are never renamed. */
const STATUS = {
  bad_request: 400,
  bad_path: 400,
  model_missing: 400,
  model_ambiguous: 400,
  unauthenticated: 401,
  credential_missing: 401,
  reauth_required: 401,
  forbidden: 403,
  csrf: 403,
  not_found: 404,
  model_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  gone: 410,
  body_too_large: 413,
  misdirected: 421,
  upgrade_refused: 426,
  rate_limited: 429,
  headers_too_large: 431,
  internal: 500,
  seal_broken: 500,
  not_implemented: 501,
  upstream_unreachable: 502,
  upstream_failed: 502,
  provider_failed: 502,
  unavailable: 503,
  upstream_timeout: 504,
  config_invalid: 500,
} as const;

export type ErrorCode = keyof typeof STATUS;

export interface ErrorOptions {
  cause?: unknown;
  /** Extra response headers, e.g. `retry-after`. */
  headers?: Record<string, string>;
  /** Where the person can mend it (a URL of ours). */
  action?: string;
}

/**
 * An error of ours: a stable code to switch on, a message a person can act on, the cause for the log.
 * The message reaches clients: it never holds a token, key or cookie value.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly action: string | null;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = STATUS[code];
    this.headers = options.headers ?? {};
    this.action = options.action ?? null;
  }
}

/** Anything thrown, as an AppError; what is not ours becomes `internal` with its cause kept for the log. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('internal', 'The gateway failed to answer this request; its log says why.', {
    cause: error,
  });
}
