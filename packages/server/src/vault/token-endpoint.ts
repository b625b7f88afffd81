import { type Configuration, refreshTokenGrant, tokenRevocation } from 'openid-client';
import { oauthFailure } from '../platform/oauth/failure.ts';
import type { Runtime } from '../platform/runtime.ts';
import { Exchange, observe } from './token-exchange.ts';
import type { TokenResponse } from './tokens.ts';

/** Milliseconds a provider has to answer; then the connection is cut. */
export const REFRESH_TIMEOUT = 20_000;
const REVOKE_TIMEOUT = 5_000;
/** A provider that asks for more patience gets this much, milliseconds. */
const MAX_RETRY_AFTER = 3_600_000;

/** What came of redeeming a refresh token (RFC 6749 section 6). */
export type RefreshAnswer =
  | { readonly kind: 'tokens'; readonly tokens: TokenResponse }
  /** The refresh token is no longer good (RFC 6749 section 5.2): the only answer that may end a grant. */
  | { readonly kind: 'invalid_grant' }
  /** Anything else. */
  | {
      readonly kind: 'transient';
      /** For people; holds nothing of the answer but a code or a status. */
      readonly reason: string;
      /** Milliseconds. */
      readonly retryAfter: number | null;
      /** Nobody ended the exchange but our timeout: the provider may redeem the token yet. */
      readonly underway: boolean;
    };

/** A provider's endpoints, found. */
export interface OpenEndpoint {
  /**
   * Sends once, never again by itself, and never throws.
   * @param subject whose tokens they are; an answer about another (OIDC Core section 12.2) is none
   */
  refresh(refreshToken: string, subject: string): Promise<RefreshAnswer>;
  /** RFC 7009, where the provider has it. @throws what goes wrong, within five seconds */
  revoke(token: string, hint: 'refresh_token' | 'access_token'): Promise<void>;
}

export interface TokenEndpoint {
  /** Finds the provider's endpoints, so that what follows is one request. @throws AppError `not_found`, `provider_failed` */
  open(provider: string): Promise<OpenEndpoint>;
}

/** The providers' token endpoints, spoken to by the field's certified library, its answers sorted into the three kinds that matter here. */
export function createTokenEndpoint(deps: {
  configurationFor(provider: string): Promise<Configuration>;
  runtime: Pick<Runtime, 'now'>;
  /** Milliseconds. */
  timeout?: number;
}): TokenEndpoint {
  const timeout = deps.timeout ?? REFRESH_TIMEOUT;

  return {
    async open(provider) {
      const configuration = observe(await deps.configurationFor(provider));
      return {
        async refresh(refreshToken, subject) {
          const exchange = new Exchange(timeout);
          try {
            const response = await exchange.run(() => refreshTokenGrant(configuration, refreshToken));
            const claims = response.claims();
            if (claims !== undefined && claims.sub !== subject) return failed('other_subject');
            return { kind: 'tokens', tokens: response };
          } catch (error) {
            return salvaged(exchange) ?? refusal(exchange, error, deps.runtime);
          }
        },

        async revoke(token, hint) {
          if (configuration.serverMetadata().revocation_endpoint === undefined) return;
          const exchange = new Exchange(REVOKE_TIMEOUT);
          await exchange.run(() => tokenRevocation(configuration, token, { token_type_hint: hint }));
        },
      };
    },
  };
}

/**
 * The tokens of an answer that the library refused for another part of it: an ID token that does not verify, or whose keys cannot be had
 * just now. The refresh token was rotated all the same; to drop its successor would cost the user the grant. The ID token is dropped.
 */
function salvaged({ answer }: Exchange): RefreshAnswer | null {
  const body = answer?.status === 200 ? answer.json() : null;
  const accessToken = body?.['access_token'];
  if (typeof accessToken !== 'string' || accessToken === '') return null;
  const { refresh_token, expires_in, scope } = body!;
  const seconds = Number.parseFloat(String(expires_in));
  return {
    kind: 'tokens',
    tokens: {
      access_token: accessToken,
      ...(typeof refresh_token === 'string' && refresh_token !== '' ? { refresh_token } : {}),
      ...(Number.isFinite(seconds) ? { expires_in: seconds } : {}),
      ...(typeof scope === 'string' ? { scope } : {}),
    },
  };
}

/** GitHub answers 200, and in its own words. */
const INVALID_GRANT = new Set<unknown>(['invalid_grant', 'bad_refresh_token']);
/** Statuses that speak of the moment, whatever the body says. */
const MOMENTARY = new Set([408, 425, 429]);

function refusal(exchange: Exchange, error: unknown, runtime: Pick<Runtime, 'now'>): RefreshAnswer {
  const { answer } = exchange;
  if (answer === null) {
    const { code } = oauthFailure(exchange.failure ?? error);
    return exchange.underway ? { ...failed('no_answer'), underway: true } : failed(code);
  }
  const { status } = answer;
  const said = answer.json()?.['error'];
  const definite = status < 500 && !MOMENTARY.has(status);
  if (definite && INVALID_GRANT.has(said)) return { kind: 'invalid_grant' };
  const code = oauthFailure({ error: said }).code;
  const reason =
    definite && code !== 'unknown' ? code : status === 200 ? 'not_a_token_response' : `status_${status}`;
  return { ...failed(reason), retryAfter: retryAfter(answer.headers.get('retry-after'), runtime) };
}

const failed = (reason: string) =>
  ({ kind: 'transient', reason, retryAfter: null, underway: false }) as const;

/** Seconds or a date (RFC 9110 section 10.2.3) as milliseconds from now. */
function retryAfter(value: string | null, runtime: Pick<Runtime, 'now'>): number | null {
  if (value === null) return null;
  const wait = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - runtime.now();
  return Number.isFinite(wait) ? Math.min(Math.max(0, Math.ceil(wait)), MAX_RETRY_AFTER) : null;
}
