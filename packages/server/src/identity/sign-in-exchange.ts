import {
  authorizationCodeGrant,
  type Configuration,
  fetchProtectedResource,
  fetchUserInfo,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
} from 'openid-client';
import type { Provider } from '../terms/provider.ts';
import {
  type Claims,
  mergedClaims,
  missesClaims,
  personOfClaims,
  personOfUserResource,
  ruleHolds,
} from './sign-in-claims.ts';
import { SignInRefused } from './sign-in-refusal.ts';
import type { Person } from './user-store.ts';

/** The tokens of a token endpoint's answer (RFC 6749 section 5.1), as they came. */
export interface TokenSet {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly scope?: string;
}

/** Who came back, and what they gave us. */
export interface Exchanged {
  readonly person: Person;
  readonly tokens: TokenSet;
  /** The provider's own session, where it names one. */
  readonly sid: string | null;
}

/** What was kept when the sign-in left. */
export interface Expected {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/**
 * An authorization response for a person. `state`, `iss` (RFC 9207), the code's exchange with its verifier, and the ID token's
 * signature, `iss`, `aud`, `nonce`, `exp` and `alg` are the library's to check.
 * @throws SignInRefused, or what the library throws
 */
export async function exchange(
  provider: Provider,
  configuration: Configuration,
  parameters: URLSearchParams,
  expected: Expected,
): Promise<Exchanged> {
  const answered = new URL(expected.redirectUri);
  answered.search = parameters.toString();
  const oidc = provider.protocol === 'oidc';
  const tokens = await authorizationCodeGrant(configuration, answered, {
    expectedState: expected.state,
    pkceCodeVerifier: expected.codeVerifier,
    ...(oidc ? { expectedNonce: expected.nonce, idTokenExpected: true } : {}),
  });
  const { claims, person } = oidc
    ? await identified(provider, configuration, tokens)
    : await described(provider, configuration, tokens.access_token);
  if (provider.allow !== null && !ruleHolds(provider.allow, claims)) throw new SignInRefused('not_allowed');
  const sid = claims['sid'];
  return { person, tokens: tokenSet(tokens), sid: oidc && typeof sid === 'string' ? sid : null };
}

async function identified(
  provider: Provider,
  configuration: Configuration,
  tokens: TokenEndpointResponse & TokenEndpointResponseHelpers,
): Promise<{ claims: Claims; person: Person }> {
  const idToken = tokens.claims()!;
  // OIDC Core section 3.1.3.7, item 5; the library looks at `azp` only where there are several audiences.
  if (idToken['azp'] !== undefined && idToken['azp'] !== provider.clientId)
    throw new SignInRefused('id_token_invalid', 'azp');
  const more = missesClaims(provider, idToken)
    ? await userInfo(configuration, tokens.access_token, idToken.sub)
    : {};
  const claims = mergedClaims(idToken, more);
  return { claims, person: personOfClaims(provider, idToken.iss, claims) };
}

/** Userinfo must speak of the same `sub` (OIDC Core section 5.3.2). An access token made for another audience may not open it: then there is no more to know. */
async function userInfo(configuration: Configuration, accessToken: string, subject: string): Promise<Claims> {
  if (configuration.serverMetadata().userinfo_endpoint === undefined) return {};
  try {
    return await fetchUserInfo(configuration, accessToken, subject);
  } catch (error) {
    const { status, cause } = error as { status?: number; cause?: unknown };
    const answered = status ?? (cause instanceof Response ? cause.status : undefined);
    if (answered === 400 || answered === 401 || answered === 403) return {};
    throw error;
  }
}

/** OAuth 2 without an ID token: the user resource is the only word. */
async function described(
  provider: Provider,
  configuration: Configuration,
  accessToken: string,
): Promise<{ claims: Claims; person: Person }> {
  const url = new URL(provider.endpoints!.userinfo);
  const headers = new Headers({ accept: 'application/json', 'user-agent': 'sallyport' });
  const response = await fetchProtectedResource(configuration, accessToken, url, 'GET', null, headers);
  if (!response.ok) throw new SignInRefused('provider_failed', `userinfo ${response.status}`);
  const user: unknown = await response.json().catch(() => null);
  if (typeof user !== 'object' || user === null) throw new SignInRefused('answer_invalid', 'userinfo');
  const person = personOfUserResource(provider, user as Claims);
  if (person === null) throw new SignInRefused('answer_invalid', 'userinfo');
  return { claims: user as Claims, person };
}

const tokenSet = (tokens: TokenEndpointResponse): TokenSet => ({
  access_token: tokens.access_token,
  ...(tokens.refresh_token === undefined ? {} : { refresh_token: tokens.refresh_token }),
  ...(tokens.id_token === undefined ? {} : { id_token: tokens.id_token }),
  ...(tokens.expires_in === undefined ? {} : { expires_in: tokens.expires_in }),
  ...(tokens.scope === undefined ? {} : { scope: tokens.scope }),
});
