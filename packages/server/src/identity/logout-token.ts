import { createRemoteJWKSet, customFetch, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Configuration } from 'openid-client';
import { ExpiringCache } from '../platform/cache.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Provider } from '../terms/provider.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Seconds by which the provider's clock may differ from ours. */
const TOLERANCE = 30;
/** A logout token is for now: one that claims to live longer is refused after this, seconds. */
const MAX_AGE = 600;
/** Signatures that anybody can check, and only the provider can make. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** What a provider says is over. At least one of `sid` and `subject` is there. */
export interface LogoutClaims {
  readonly sid: string | null;
  readonly subject: string | null;
  /** The latest begin of a session that it can mean, epoch milliseconds. */
  readonly begunBy: number;
}

/** Validates logout tokens (OIDC Back-Channel Logout 1.0 section 2.6). */
export function createLogoutTokens(deps: {
  servers: { configurationFor(id: string): Promise<Configuration> };
  fetch: (url: string, init?: RequestInit) => Promise<Response>;
  runtime: Pick<Runtime, 'now'>;
}) {
  const { servers, fetch, runtime } = deps;
  const keySets = new Map<string, JWTVerifyGetKey>();
  /**
   * Tokens seen, by provider and `jti`. Another replica does not know them: there a replay ends nothing that began after the
   * token was issued, see `begunBy`.
   */
  const seen = new ExpiringCache<true>({ max: 10_000, now: () => runtime.now() });

  function keysOf(url: string): JWTVerifyGetKey {
    let keys = keySets.get(url);
    if (keys === undefined) {
      keys = createRemoteJWKSet(new URL(url), { [customFetch]: fetch });
      keySets.set(url, keys);
    }
    return keys;
  }

  return {
    /** @throws AppError `bad_request` for a token that is not valid, `provider_failed` while the provider's keys cannot be had */
    async verify(provider: Provider, token: string): Promise<LogoutClaims> {
      const server = (await servers.configurationFor(provider.id)).serverMetadata();
      if (server.jwks_uri === undefined) throw refused('this provider has no keys');
      const { payload } = await jwtVerify(token, keysOf(server.jwks_uri), {
        issuer: server.issuer,
        audience: provider.clientId,
        algorithms: ALGORITHMS,
        requiredClaims: ['iat', 'exp', 'jti', 'events'],
        maxTokenAge: MAX_AGE,
        clockTolerance: TOLERANCE,
        currentDate: new Date(runtime.now()),
      }).catch(unverified);
      const claims = meant(payload);
      const name = `${provider.id} ${payload.jti}`;
      // Section 2.6, item 7: a `jti` seen recently is a replay.
      if (seen.get(name)) throw refused('it was used before');
      seen.set(name, true, (payload.exp! + TOLERANCE) * 1000);
      return claims;
    },
  };
}

export type LogoutTokens = ReturnType<typeof createLogoutTokens>;

function meant(payload: JWTPayload): LogoutClaims {
  const { events, sid, sub } = payload;
  // Section 2.4: the member's value is an object; without it this is some other JWT of the provider.
  const event =
    typeof events === 'object' && events !== null ? (events as Record<string, unknown>)[EVENT] : undefined;
  if (typeof event !== 'object' || event === null) throw refused('it is no logout event');
  // Section 2.4: a nonce is prohibited, so that no ID token can be passed off as one.
  if (payload['nonce'] !== undefined) throw refused('it has a nonce');
  const named = { sid: typeof sid === 'string' ? sid : null, subject: typeof sub === 'string' ? sub : null };
  if (named.sid === null && named.subject === null) throw refused('it names neither a session nor a subject');
  return { ...named, begunBy: (payload.iat! + TOLERANCE) * 1000 };
}

const refused = (why: string): AppError =>
  new AppError('bad_request', `The logout token is refused: ${why}.`);

/** The library's causes hold decoded tokens; only its codes leave here. */
function unverified(error: unknown): never {
  const { code } = error as { code?: string };
  if (
    code === undefined ||
    code === 'ERR_JWKS_TIMEOUT' ||
    code === 'ERR_JOSE_GENERIC' ||
    error instanceof AppError
  ) {
    throw new AppError('provider_failed', "The provider's keys could not be fetched.");
  }
  throw refused(code.startsWith('ERR_J') ? code : 'it is not valid');
}
