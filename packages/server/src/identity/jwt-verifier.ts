import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type FetchImplementation,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { JwtIssuer } from '../config/types.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { credentialRefused } from './refusal.ts';

/** What a key set may verify. Never an HMAC: a public key must not serve as a shared secret (RFC 8725 section 3.1). */
const ASYMMETRIC = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** What a shared secret may verify. */
const SYMMETRIC = ['HS256'];
/** RFC 8725 section 3.11: a logout token, a DPoP proof or another typed JWT of the same issuer is no access token. */
const TYPES = new Set(['jwt', 'at+jwt']);
/** Seconds an issuer's clock may be ahead of ours (`nbf`). `exp` gets no leeway. */
const LEEWAY = 5;
/** An unknown `kid` has the key set fetched again at most once in this time, milliseconds … */
const COOLDOWN = 30_000;
/** … and a key set that cannot be had is asked for at most once in this. */
const RETRY = 5_000;

export interface VerifiedToken {
  readonly issuer: JwtIssuer;
  readonly claims: JWTPayload & { exp: number };
}

/**
 * Verifies JWTs of the configured issuers: signature with an allowlisted algorithm, `iss`, `aud` where configured, `nbf`,
 * and an `exp`, which is required.
 * @throws AppError `unauthenticated` for a token that is not good, `unavailable` while the issuer's keys cannot be fetched
 */
export function createJwtVerifier(deps: {
  issuers: readonly JwtIssuer[];
  fetch: FetchImplementation;
  runtime: Pick<Runtime, 'now'>;
}): (token: string) => Promise<VerifiedToken> {
  const { runtime } = deps;
  const sources = deps.issuers.map(issuer => ({
    issuer,
    algorithms: issuer.jwksUrl === null ? SYMMETRIC : ASYMMETRIC,
    key:
      issuer.jwksUrl === null
        ? sharedSecret(issuer)
        : remoteKeys(new URL(issuer.jwksUrl), deps.fetch, runtime),
  }));

  /** Where its issuer is configured by name, only that; the others are for a shared secret that expects no `iss`. */
  function sourcesOf(token: string) {
    const { alg, typ } = readHeader(token);
    const { iss } = readClaims(token);
    if (typ !== undefined && !TYPES.has(typ.toLowerCase().replace(/^application\//, ''))) {
      throw credentialRefused('The token is of a type that is no access token.');
    }
    const named = sources.filter(source => source.issuer.issuer !== null && source.issuer.issuer === iss);
    const trusted = named.length > 0 ? named : sources.filter(source => source.issuer.issuer === null);
    if (trusted.length === 0)
      throw credentialRefused('The token is of an issuer that this gateway does not trust.');
    const fitting = trusted.filter(source => alg !== undefined && source.algorithms.includes(alg));
    // RFC 8725 sections 3.1 and 3.2: the algorithm is ours to choose, and `none` never is.
    if (fitting.length === 0)
      throw credentialRefused('The token is signed with an algorithm that is not accepted.');
    return fitting;
  }

  return async token => {
    let refusal: unknown;
    for (const { issuer, algorithms, key } of sourcesOf(token)) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms,
          ...(issuer.issuer === null ? {} : { issuer: issuer.issuer }),
          ...(issuer.audience === null ? {} : { audience: issuer.audience }),
          requiredClaims: ['exp'],
          clockTolerance: LEEWAY,
          currentDate: new Date(runtime.now()),
        });
        const claims = { ...payload, exp: payload.exp! };
        refuseUnfit(claims, runtime.now());
        return { issuer, claims };
      } catch (error) {
        // Keys that cannot be fetched say nothing about the token: that outranks another source's refusal.
        if (!(refusal instanceof AppError && refusal.code === 'unavailable')) refusal = error;
      }
    }
    throw asRefusal(refusal);
  };
}

function readHeader(token: string): { alg?: string; typ?: string } {
  try {
    const { alg, typ } = decodeProtectedHeader(token);
    return { ...(typeof alg === 'string' ? { alg } : {}), ...(typeof typ === 'string' ? { typ } : {}) };
  } catch {
    throw credentialRefused('The bearer value is neither a gateway key nor a JWT.');
  }
}

function readClaims(token: string): JWTPayload {
  try {
    return decodeJwt(token);
  } catch {
    throw credentialRefused('The bearer value is neither a gateway key nor a JWT.');
  }
}

function refuseUnfit(claims: JWTPayload & { exp: number }, now: number): void {
  if (claims.exp * 1000 <= now) throw credentialRefused('The token has expired.');
  // RFC 9449 section 7 and RFC 8705 section 3: bound to a key whose possession nobody proved here, it is no bearer token.
  if (claims['cnf'] !== undefined)
    throw credentialRefused('The token is bound to a key; send one that is not.');
  // RFC 8417 section 2.2: `events` marks a security event or logout token.
  if (claims['events'] !== undefined)
    throw credentialRefused('The token is a security event, no access token.');
}

/** What went wrong in words for the caller; jose's own error holds the claims, so it goes no further. */
function asRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof errors.JWTExpired) return credentialRefused('The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return credentialRefused(
      `The token's "${error.claim}" claim is missing or not what this gateway expects.`,
    );
  }
  if (error instanceof errors.JWKSNoMatchingKey)
    return credentialRefused('The token names a key that its issuer does not have.');
  return credentialRefused('The token could not be verified.');
}

function sharedSecret(issuer: JwtIssuer): JWTVerifyGetKey {
  if (issuer.secret === null)
    throw new AppError('config_invalid', 'A JWT issuer needs a jwksUrl or a secret.');
  const secret = new TextEncoder().encode(issuer.secret.reveal());
  return () => secret;
}

function remoteKeys(url: URL, fetch: FetchImplementation, runtime: Pick<Runtime, 'now'>): JWTVerifyGetKey {
  let next = 0;
  const keys = createRemoteJWKSet(url, {
    cooldownDuration: COOLDOWN,
    [customFetch]: async (target, options) => {
      if (runtime.now() < next) throw new Error('The key set could not be fetched a moment ago.');
      next = runtime.now() + RETRY;
      return fetch(target, options);
    },
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) throw error;
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      throw new AppError(
        'unavailable',
        "The keys of the token's issuer cannot be fetched now; try again in a moment.",
        {
          cause: error,
          headers: { 'retry-after': String(RETRY / 1000) },
        },
      );
    }
  };
}
