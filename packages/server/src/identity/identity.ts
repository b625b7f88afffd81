import type { Config } from '../config/types.ts';
import type { Principal } from '../terms/principal.ts';
import { anonymous } from './anonymous.ts';
import { type Credentials, countHeader } from './credentials.ts';
import type { Jwts } from './jwt.ts';
import { KEY_PREFIX, type Keys } from './keys.ts';
import type { ProxyHeader } from './proxy-header.ts';
import { credentialAmbiguous, credentialMissing, credentialRefused } from './refusal.ts';

/** RFC 6750 section 2.1; the scheme's name has no case (RFC 9110 section 11.1). */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

export interface Identity {
  /**
   * Who sends this request. Synchronous when the credential was seen within the last seconds, a promise otherwise.
   * @throws AppError `unauthenticated` (with a `www-authenticate` challenge), `bad_request` for repeated or contradicting
   *   credentials, `unavailable` while an issuer's keys cannot be fetched; synchronously or as a rejection
   */
  authenticate(request: Credentials): Principal | Promise<Principal>;
}

/**
 * The one way from a request to a principal: a bearer value, else the session cookie, else a trusted proxy's header, else
 * the anonymous principal where the operator allows it. The first credential that is shown decides: one that is not valid
 * is refused, never passed over for a weaker one.
 */
export function createIdentity(deps: {
  keys: Pick<Keys, 'authenticate'>;
  jwts: Pick<Jwts, 'authenticate'>;
  sessions: {
    /** Of the whole `Cookie` header. Undefined: it holds no session cookie; null: the session is not, or no longer, valid. */
    lookup(cookies: string): Principal | null | undefined | Promise<Principal | null>;
    /** `Set-Cookie` that forgets it. */
    clearCookie(): string;
  };
  /** Null unless a trusted proxy may name the user. */
  proxyHeader: Pick<ProxyHeader, 'authenticate'> | null;
  auth: Pick<Config['auth'], 'required' | 'clientCredentials'>;
}): Identity {
  const { keys, jwts, sessions, proxyHeader, auth } = deps;

  function byBearer(value: string, request: Credentials): Principal | Promise<Principal> {
    return value.startsWith(KEY_PREFIX) ? keys.authenticate(value) : jwts.authenticate(value, request);
  }

  function liveSession(principal: Principal | null): Principal {
    if (principal !== null) return principal;
    const refusal = credentialRefused('The session has ended; sign in again.');
    // Where one may go on without signing in, a stale cookie must not lock its browser out for ever.
    if (proxyHeader !== null || !auth.required) refusal.headers['set-cookie'] = sessions.clearCookie();
    throw refusal;
  }

  function bySession(cookies: string): Principal | Promise<Principal> | null {
    const found = sessions.lookup(cookies);
    if (found === undefined) return null;
    return found instanceof Promise ? found.then(liveSession) : liveSession(found);
  }

  return {
    authenticate(request) {
      const bearer = auth.clientCredentials ? bearerOf(request) : null;
      if (bearer !== null) return byBearer(bearer, request);
      const cookies = request.headers.cookie;
      const bySessionCookie = cookies === undefined ? null : bySession(cookies);
      if (bySessionCookie !== null) return bySessionCookie;
      const byProxy = proxyHeader === null ? null : proxyHeader.authenticate(request);
      if (byProxy !== null) return byProxy;
      if (auth.required) throw credentialMissing();
      return anonymous;
    },
  };
}

/**
 * The value of `Authorization: Bearer`, or a gateway key in `x-api-key`, where some model APIs' clients put it (any other
 * value there is none of ours).
 */
function bearerOf(request: Credentials): string | null {
  const { authorization, 'x-api-key': apiKey } = request.headers;
  const key = typeof apiKey === 'string' && apiKey.startsWith(KEY_PREFIX) ? apiKey : null;
  if (authorization === undefined) return key;
  // RFC 9110 section 5.3: the field is no list. Node keeps the first of several, another hop might keep the last.
  if (countHeader(request, 'authorization') > 1)
    throw credentialAmbiguous('There are several Authorization headers.');
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer === undefined) throw credentialRefused('The Authorization header holds no bearer credential.');
  // RFC 6750 section 2: no more than one way in each request.
  if (key !== null && key !== bearer)
    throw credentialAmbiguous('Authorization and x-api-key contradict each other.');
  return bearer;
}
