import { AppError } from '../errors.ts';

/** What may be said and logged of a failed OAuth exchange. */
export interface OAuthFailure {
  /** `invalid_grant`, `access_denied`, `OAUTH_JWT_CLAIM_COMPARISON_FAILED`, …; else the error's name. */
  readonly code: string;
  /** HTTP status of the answer, where there was one. */
  readonly status: number | null;
}

/**
 * The harmless core of an error of the protocol libraries. Their `cause` carries whole responses and decoded tokens: it never goes
 * into a log or an AppError (rule 5).
 */
export function oauthFailure(error: unknown): OAuthFailure {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof AppError) return { code: inner.code, status: null };
  }
  const {
    error: answer,
    code,
    status,
    cause,
    name,
  } = (error ?? {}) as Partial<Record<'error' | 'code' | 'status' | 'cause' | 'name', unknown>>;
  const numeric = typeof status === 'number' ? status : cause instanceof Response ? cause.status : null;
  return { code: named(answer) ?? named(code) ?? named(name) ?? 'unknown', status: numeric };
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
