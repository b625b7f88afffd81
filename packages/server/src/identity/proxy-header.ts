import type { Bus } from '../platform/bus.ts';
import type { Lookups } from '../platform/cache.ts';
import type { AddressOf, Arrival } from '../platform/client-address.ts';
import { rangeTest } from '../platform/net.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { type Credentials, countHeader } from './credentials.ts';
import { type Loaded, PrincipalCache } from './principal-cache.ts';
import { credentialAmbiguous, credentialRefused } from './refusal.ts';
import type { User, UserStore } from './user-store.ts';

const ISSUER = 'sallyport:proxy';
/** "Last seen" of a user whom a proxy names is this exact, milliseconds. */
const SEEN_EVERY = 60_000;

/**
 * The user whom a trusted proxy names in a header. The header is believed only when the connection itself comes from a
 * configured address; from anywhere else it is an attempt to be somebody, and refused as such.
 */
export function createProxyHeader(deps: {
  header: { readonly name: string; readonly from: readonly string[] };
  users: Pick<UserStore, 'byIdentity' | 'recognize' | 'saw'>;
  runtime: Pick<Runtime, 'now'>;
  bus: Bus;
  audit: Audit;
  addressOf: AddressOf;
  lookups?: Lookups;
}) {
  const { header, users, runtime, bus, audit, addressOf } = deps;
  const name = header.name.toLowerCase();
  const isTrusted = rangeTest(header.from);
  const cache = new PrincipalCache(runtime, deps.lookups);
  bus.subscribe(notice => {
    if (notice.topic === 'user-changed') cache.forget(principal => principal.userId === notice.userId);
  });

  async function userOf(subject: string, arrival: Arrival): Promise<User> {
    const known = await users.byIdentity(ISSUER, subject);
    if (known === null) {
      const email = subject.includes('@') ? subject : null;
      // The proxy signed this person in, and its word for the address is what the operator chose to trust.
      const user = await users.recognize({
        issuer: ISSUER,
        subject,
        email,
        emailVerified: true,
        name: subject,
      });
      const by = { userId: user.id, credentialId: `proxy:${user.id}`, address: addressOf(arrival) };
      if (user.isNew) audit.record({ action: 'user.create', ...by, target: user.id });
      return user;
    }
    if ((known.seenAt ?? 0) <= runtime.now() - SEEN_EVERY) await users.saw(known.id);
    return known;
  }

  async function load(subject: string, arrival: Arrival): Promise<Loaded> {
    const user = await userOf(subject, arrival);
    if (user.disabledAt !== null) throw credentialRefused('This user is disabled.');
    const principal: Principal = Object.freeze({
      userId: user.id,
      email: user.email,
      name: user.name,
      groups: user.groups,
      admin: user.admin,
      proof: 'proxy-header',
      credentialId: `proxy:${user.id}`,
      grantId: null,
      scope: null,
    });
    return { principal, expiresAt: Number.POSITIVE_INFINITY };
  }

  return {
    /**
     * Null without the header.
     * @throws AppError `unauthenticated` from an untrusted address, `bad_request` for a header that names several;
     *   synchronously or as a rejection
     */
    authenticate(request: Credentials): Principal | Promise<Principal> | null {
      const value = request.headers[name];
      if (value === undefined) return null;
      if (request.remoteAddress === undefined || !isTrusted(request.remoteAddress)) {
        throw credentialRefused('The user header is believed only from a trusted proxy.');
      }
      // Node joins repeated headers with a comma: a client's own header beside the proxy's must not be picked from.
      if (typeof value !== 'string' || value.includes(',') || countHeader(request, name) > 1) {
        throw credentialAmbiguous('The user header names more than one user.');
      }
      const subject = subjectOf(value);
      return cache.lookup(subject, () => load(subject, request));
    },
  };
}

export type ProxyHeader = ReturnType<typeof createProxyHeader>;

/** Printable ASCII; an address names the same person in any case. */
function subjectOf(value: string): string {
  const trimmed = value.trim();
  if (!/^[\x20-\x7e]{1,255}$/.test(trimmed))
    throw credentialRefused('The user header is empty or not printable.');
  return trimmed.includes('@') ? trimmed.toLowerCase() : trimmed;
}
