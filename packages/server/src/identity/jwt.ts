import type { FetchImplementation, JWTPayload } from 'jose';
import type { JwtIssuer } from '../config/types.ts';
import type { Bus } from '../platform/bus.ts';
import { ExpiringCache, type Lookups } from '../platform/cache.ts';
import type { AddressOf, Arrival } from '../platform/client-address.ts';
import { sha256 } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { createJwtVerifier, type VerifiedToken } from './jwt-verifier.ts';
import { type Loaded, PrincipalCache } from './principal-cache.ts';
import { credentialRefused } from './refusal.ts';
import type { User, UserStore } from './user-store.ts';

/** Under which issuer the subjects of a shared secret without an `iss` are known. */
const UNNAMED_ISSUER = 'sallyport:jwt';
const MAX_VERIFIED = 20_000;
/** OpenID Connect Core section 2: a `sub` has at most 255 characters. */
const MAX_SUBJECT = 255;

/** What a verified token says, and of whom. True until its `exp`; what is true of the user is asked apart. */
interface Verified {
  readonly userId: string;
  /** Null: the token says nothing of groups, those of the user hold. */
  readonly groups: readonly string[] | null;
  readonly admin: boolean;
  readonly expiresAt: number;
}

/**
 * JWTs of configured issuers. A verification is kept by the token's SHA-256 until the token expires; the user behind it is
 * read again every 5 s, and at once when the bus says that the user changed.
 */
export function createJwts(deps: {
  issuers: readonly JwtIssuer[];
  /** The guarded fetch, for key sets. */
  fetch: FetchImplementation;
  users: Pick<UserStore, 'get' | 'byEmail' | 'byIdentity' | 'recognize' | 'saw'>;
  runtime: Pick<Runtime, 'now'>;
  bus: Bus;
  audit: Audit;
  addressOf: AddressOf;
  lookups?: Lookups;
}) {
  const { users, runtime, bus, audit, addressOf } = deps;
  const verify = createJwtVerifier(deps);
  const verified = new ExpiringCache<Verified>({ max: MAX_VERIFIED, now: () => runtime.now() });
  const cache = new PrincipalCache(runtime, deps.lookups);
  bus.subscribe(notice => {
    if (notice.topic !== 'user-changed') return;
    verified.deleteWhere(token => token.userId === notice.userId);
    cache.forget(principal => principal.userId === notice.userId);
  });

  async function load(token: string, hash: string, arrival: Arrival): Promise<Loaded> {
    const known = verified.get(hash) ?? (await recognize(token, hash, arrival));
    const user = await users.get(known.userId);
    if (user === null || user.disabledAt !== null) throw credentialRefused("The token's user is disabled.");
    const principal: Principal = Object.freeze({
      userId: user.id,
      email: user.email,
      name: user.name,
      groups: known.groups ?? user.groups,
      // The claim alone: a token without it is no admin's, whoever its user is, and one with it makes nobody else's key strong.
      admin: known.admin,
      proof: 'jwt',
      credentialId: `jwt:${hash}`,
      grantId: null,
      scope: null,
    });
    return { principal, expiresAt: known.expiresAt };
  }

  async function recognize(token: string, hash: string, arrival: Arrival): Promise<Verified> {
    const { issuer, claims } = await verify(token);
    const user = await userOf(issuer, claims);
    const by = { userId: user.id, credentialId: `jwt:${hash}` };
    if (user.isNew)
      audit.record({ action: 'user.create', ...by, address: addressOf(arrival), target: user.id });
    const known: Verified = {
      userId: user.id,
      groups: groupsOf(claims),
      admin: isAdmin(claims),
      expiresAt: claims.exp * 1000,
    };
    verified.set(hash, known, known.expiresAt);
    return known;
  }

  /**
   * Whom a token is about: the identity that signed in at the same issuer; else, where the operator lets addresses name
   * people, the one user with that address; else a user of this issuer's own, made at first sight.
   */
  async function userOf(
    issuer: JwtIssuer,
    claims: VerifiedToken['claims'],
  ): Promise<User & { readonly isNew: boolean }> {
    const identity = { issuer: issuer.issuer ?? UNNAMED_ISSUER, subject: subjectOf(claims) };
    const known = await users.byIdentity(identity.issuer, identity.subject);
    const email = issuer.matchEmail ? emailOf(claims) : null;
    const named = known === null && email !== null ? await users.byEmail(email) : [];
    const user = known ?? (named.length === 1 ? named[0]! : null);
    if (user === null) {
      const name = text(claims['name']) ?? text(claims['email']);
      // Not verified, for the one account that the address could have joined was looked for just above.
      return users.recognize({ ...identity, email, emailVerified: false, name });
    }
    await users.saw(user.id);
    return { ...user, isNew: false };
  }

  return {
    /** @throws AppError `unauthenticated` or `unavailable`; synchronously or as a rejection */
    authenticate(token: string, arrival: Arrival): Principal | Promise<Principal> {
      const hash = sha256(token);
      return cache.lookup(hash, () => load(token, hash, arrival));
    },
  };
}

export type Jwts = ReturnType<typeof createJwts>;

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** `sub`, else `email`. A token that names nobody is refused, and so is one whose `sub` is no string (RFC 7519 section 4.1.2). */
function subjectOf(claims: JWTPayload): string {
  const subject: unknown = claims.sub ?? claims['email'];
  if (typeof subject !== 'string' || subject === '') {
    throw credentialRefused('The token has neither a "sub" nor an "email" claim.');
  }
  if (subject.length > MAX_SUBJECT || /[\x00-\x1f\x7f]/.test(subject)) {
    throw credentialRefused('The token\'s "sub" claim is too long or has control characters.');
  }
  return subject;
}

/** `email`, or a `sub` that is one; not where the issuer says that it is unverified. */
function emailOf(claims: JWTPayload): string | null {
  if (claims['email_verified'] === false) return null;
  const email = text(claims['email']) ?? text(claims.sub);
  return email !== null && /^[^\s@]+@[^\s@]+$/.test(email) ? email : null;
}

function groupsOf(claims: JWTPayload): readonly string[] | null {
  const groups = claims['groups'];
  if (!Array.isArray(groups)) return null;
  return Object.freeze(groups.filter(group => typeof group === 'string'));
}

/** Strictly `true`: a string or a number is some other system's idea. */
function isAdmin(claims: JWTPayload): boolean {
  if (claims['is_admin'] === true) return true;
  const user = claims['user'];
  return typeof user === 'object' && user !== null && (user as { is_admin?: unknown }).is_admin === true;
}
