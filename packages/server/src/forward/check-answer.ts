import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';

const made = new WeakMap<Principal, Readonly<Record<string, string>>>();

/**
 * What a proxy puts into the request it lets through. Every header is there for every caller, if only empty: so each takes the place of what the
 * client wrote under its name, `Authorization` (a key of ours, perhaps) included.
 */
export function checkHeaders(
  principal: Principal,
  credential: Credential | null,
): Readonly<Record<string, string>> {
  return {
    authorization: '',
    ...identityHeaders(principal),
    ...(credential === null ? {} : { [credential.header]: credential.value }),
  };
}

function identityHeaders(principal: Principal): Readonly<Record<string, string>> {
  let headers = made.get(principal);
  if (headers === undefined) {
    headers = {
      'x-auth-user-id': encoded(principal.userId),
      'x-auth-email': encoded(principal.email ?? ''),
      'x-auth-name': encoded(principal.name ?? ''),
      'x-auth-groups': principal.groups.map(encoded).join(','),
    };
    made.set(principal, headers);
  }
  return headers;
}

/** Percent-encoded (RFC 3986 section 2.1) but for visible ASCII: no line break, no second value, no bytes that two readers take for different letters. */
const encoded = (value: string): string => value.toWellFormed().replace(/[^\x21-\x7e]|[%,]/gu, percent);

const percent = (character: string): string => encodeURIComponent(character);
