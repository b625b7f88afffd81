import { oauthFailure } from '../platform/oauth/failure.ts';
import type { StateRefusal } from './sign-in-store.ts';

/** Why nobody was signed in. Codes are part of the audit: they are never renamed. */
export type RefusalReason =
  | StateRefusal
  | 'provider_refused'
  | 'provider_failed'
  | 'code_refused'
  | 'answer_invalid'
  | 'id_token_invalid'
  | 'not_allowed'
  | 'user_disabled';

/** What the person reads; nothing of it comes from the request or the provider. */
const WORDS: Record<RefusalReason, string> = {
  state_unknown: 'This sign-in is not one of ours, or is long over. Start again.',
  state_used: 'This sign-in was already used. If you are not signed in, start again.',
  state_expired: 'This sign-in took longer than ten minutes. Start again.',
  other_provider: 'The answer came from another provider than the one that was asked. Start again.',
  other_browser:
    'This sign-in began in another browser, or your browser refuses our cookie. Start again here.',
  provider_refused: 'The provider did not sign you in. Try again, or ask whoever runs it.',
  provider_failed: 'The provider failed to answer. Try again in a moment.',
  code_refused: 'The provider did not accept the code that it had given. Start again.',
  answer_invalid:
    'The answer of the provider is not valid. Start again; if it stays so, tell your administrator.',
  id_token_invalid: 'What the provider says of you cannot be trusted. Tell your administrator.',
  not_allowed: 'You are known to the provider, but not allowed to use this gateway. Ask your administrator.',
  user_disabled: 'Your account here is disabled. Ask your administrator.',
};

const STATUS: Partial<Record<RefusalReason, number>> = {
  not_allowed: 403,
  user_disabled: 403,
  provider_failed: 502,
  provider_refused: 401,
};

/** A sign-in that ends without a session: a page for the person, a reason for the audit. */
export class SignInRefused extends Error {
  readonly reason: RefusalReason;
  /** For the log and audit: an error code of the protocol, never its text. */
  readonly detail: string | null;
  readonly status: number;

  constructor(reason: RefusalReason, detail: string | null = null) {
    super(WORDS[reason]);
    this.name = 'SignInRefused';
    this.reason = reason;
    this.detail = detail;
    this.status = STATUS[reason] ?? 400;
  }
}

/** A failed exchange, sorted by who has to act. */
export function refusalOf(error: unknown): SignInRefused {
  if (error instanceof SignInRefused) return error;
  const { code, status } = oauthFailure(error);
  if (error instanceof Error && error.name === 'AuthorizationResponseError')
    return new SignInRefused('provider_refused', code);
  if (code === 'invalid_grant') return new SignInRefused('code_refused', code);
  if (/JWT|JWE|KEY|SIGNATURE|ALG|UNSUPPORTED_OPERATION|JSON_ATTRIBUTE/.test(code))
    return new SignInRefused('id_token_invalid', code);
  if (code === 'OAUTH_INVALID_RESPONSE' || code === 'OAUTH_PARSE_ERROR')
    return new SignInRefused('answer_invalid', code);
  return new SignInRefused('provider_failed', status === null ? code : `${code} ${status}`);
}
