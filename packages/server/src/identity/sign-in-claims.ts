import type { ClaimRule, Provider } from '../terms/provider.ts';
import type { Person } from './user-store.ts';

/** What a provider says of a person: an ID token's payload, merged with userinfo. */
export type Claims = Readonly<Record<string, unknown>>;

/** RFC 5321 section 4.5.3.1.3. */
const MAX_EMAIL = 254;

/** A claim by its name, else by its path (`realm_access.roles`): names with dots exist (`https://corp.example/groups`). */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** Whether the claim's value equals, or its list contains, one of the rule's values. An absent claim holds for nobody. */
export function ruleHolds(rule: ClaimRule, claims: Claims): boolean {
  return stringsOf(claimAt(claims, rule.claim)).some(value => rule.has.includes(value));
}

/** Claims that an ID token often leaves to userinfo and that we cannot do without. */
export function missesClaims(provider: Provider, claims: Claims): boolean {
  const wanted = ['email', 'name', provider.groupsClaim, provider.admins?.claim, provider.allow?.claim];
  return wanted.some(path => path !== undefined && claimAt(claims, path) === undefined);
}

/** The signed ID token over userinfo. `email_verified` speaks of the address beside it: it never crosses to one from the other source. */
export function mergedClaims(idToken: Claims, userinfo: Claims): Claims {
  const merged = { ...userinfo, ...idToken };
  const other = idToken['email'] !== undefined && idToken['email'] !== userinfo['email'];
  return other ? { ...merged, email_verified: idToken['email_verified'] } : merged;
}

/** The person of an OpenID provider. Groups that it no longer lists are gone: absent means none. */
export function personOfClaims(provider: Provider, issuer: string, claims: Claims): Person {
  return {
    issuer,
    subject: claims['sub'] as string,
    email: emailOf(claims['email']),
    // Some providers write the boolean as a string.
    emailVerified: claims['email_verified'] === true || claims['email_verified'] === 'true',
    name: nameOf(claims['name'] ?? claims['preferred_username']),
    groups: stringsOf(claimAt(claims, provider.groupsClaim)),
    ...adminOf(provider, claims),
  };
}

/** The person of a plain OAuth 2 provider's user resource (GitHub: a numeric `id`); null when it names nobody. */
export function personOfUserResource(provider: Provider, user: Claims): Person | null {
  const subject = user['id'] ?? user['sub'];
  if ((typeof subject !== 'string' || subject === '') && !Number.isSafeInteger(subject)) return null;
  return {
    issuer: provider.issuer,
    subject: String(subject),
    email: emailOf(user['email']),
    emailVerified: user['email_verified'] === true,
    name: nameOf(user['name'] ?? user['login']),
    ...adminOf(provider, user),
  };
}

const adminOf = (provider: Provider, claims: Claims) =>
  provider.admins === null ? {} : { admin: ruleHolds(provider.admins, claims) };

function stringsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value];
  return list
    .filter(item => typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean')
    .map(String);
}

const emailOf = (value: unknown): string | null =>
  typeof value === 'string' && value.length <= MAX_EMAIL && /^[^\s@]+@[^\s@]+$/.test(value) ? value : null;

const nameOf = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value.trim().slice(0, 200) : null;
