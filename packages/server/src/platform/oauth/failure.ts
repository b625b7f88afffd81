import { AppError } from '../errors.ts';

/** What may be said and logged of a failed OAuth exchange. */
export interface OAuthFailure {
  /** `invalid_grant`, `access_denied`, `OAUTH_JWT_CLAIM_COMPARISON_FAILED`, …; `unreachable` where there was no answer. */
  readonly code: string;
  /** HTTP status of the answer, where there was one. */
  readonly status: number | null;
}

/**
 * The harmless core of an error of the protocol libraries. Their `cause` carries whole responses and decoded tokens: it never goes
 * into a log or an AppError (rule 5).
 */
export function oauthFailure(error: unknown): OAuthFailure {
  if (error instanceof AppError) return { code: error.code, status: null };
  const {
    error: answer,
    code,
    status,
    cause,
  } = error as { error?: unknown; code?: unknown; status?: unknown; cause?: unknown };
  const numeric = typeof status === 'number' ? status : cause instanceof Response ? cause.status : null;
  return { code: named(answer) ?? named(code) ?? 'unreachable', status: numeric };
}

/** The AppError for an authorization server that failed us; the log learns its code, not its words. */
export function providerFailed(message: string, error: unknown): AppError {
  const { code, status } = oauthFailure(error);
  return new AppError('provider_failed', message, {
    cause: new Error(status === null ? code : `${code}, status ${status}`),
  });
}

/** RFC 6749 section 5.2 allows more characters; a code worth repeating needs no more than these. */
const named = (value: unknown): string | null =>
  typeof value === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(value) ? value : null;
