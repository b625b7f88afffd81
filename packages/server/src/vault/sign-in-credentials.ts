import type { Config, Service } from '../config/types.ts';
import { ExpiringCache } from '../platform/cache.ts';
import { AppError } from '../platform/errors.ts';
import { ready } from '../platform/ready.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { CredentialRule, Upstream, UpstreamKind } from '../terms/upstream.ts';
import type { GrantStore } from './grant-store.ts';
import type { Opened, OpenedGrants } from './opened-grants.ts';
import type { Refusals } from './refusals.ts';
import { staticCredential } from './static-credential.ts';

export type SignInRule = Extract<CredentialRule, { use: 'sign-in' }>;

/** The option `OAUTH_TOKEN_FORWARDING_SERVICES` names kinds of upstreams in its own words. */
const SERVICE_OF: Record<UpstreamKind, Service> = {
  openai: 'openai',
  openapi: 'tools',
  http: 'tools',
  mcp: 'mcp',
  terminal: 'terminals',
};

const MAX_KNOWN = 50_000;
/** As long as a lost notice may go unnoticed, milliseconds. */
const CHECKED = 5_000;
/** When it is worth asking again for an ID token that a provider did not renew, milliseconds. */
const RENEWED_AGAIN = 2_000;

export interface SignInCredentials {
  /** The rule `sign-in`. @throws AppError as `Vault.credentialFor` */
  credentialFor(principal: Principal, upstream: Upstream, rule: SignInRule): Credential | Promise<Credential>;
  /** The user's grants are not what they were. */
  forget(userId: string): void;
}

/** Which of a user's grants counts for an upstream, and which of its tokens. */
export function createSignInCredentials(deps: {
  grants: OpenedGrants;
  store: Pick<GrantStore, 'newest' | 'read'>;
  refusals: Refusals;
  runtime: Pick<Runtime, 'now'>;
  forwarding: Config['forwarding'];
}): SignInCredentials {
  const { grants, store, refusals, runtime, forwarding } = deps;
  const now = () => runtime.now();
  /** By user: their newest grant of each provider, and of any. */
  const newestOf = new ExpiringCache<Map<string | null, string | null>>({ max: MAX_KNOWN, now });
  /** By grant; never changes. */
  const providerOf = new ExpiringCache<string>({ max: MAX_KNOWN, now });

  function credentialFor(
    principal: Principal,
    upstream: Upstream,
    rule: SignInRule,
  ): Credential | Promise<Credential> {
    if (!forwarding.enabled || !forwarding.services.includes(SERVICE_OF[upstream.kind]))
      return without(rule, () => refusals.missing(upstream, false));
    const found = ready(grantOf(principal, rule), grantId =>
      grantId === null
        ? missing(upstream, rule)
        : ready(grants.get(grantId), opened =>
            opened.userId === principal.userId ? tokenOf(opened, rule) : missing(upstream, rule),
          ),
    );
    return found instanceof Promise ? found.catch(error => instead(error, upstream, rule)) : found;
  }

  /** A grant that is spent or gone is like none. */
  function instead(error: unknown, upstream: Upstream, rule: SignInRule): Credential {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'not_found') return missing(upstream, rule);
    if (error.code === 'reauth_required') return without(rule, () => error);
    throw error;
  }

  const missing = (upstream: Upstream, rule: SignInRule): Credential =>
    without(rule, () => refusals.missing(upstream, true));

  /** A session acts by the grant it was born with, a program by its user's newest one. */
  function grantOf(principal: Principal, rule: SignInRule): string | null | Promise<string | null> {
    const { userId, grantId } = principal;
    if (principal.proof === 'anonymous') return null;
    if (grantId === null) return newest(userId, rule.provider);
    if (rule.provider === null) return grantId;
    return ready(providerOfGrant(grantId), provider =>
      provider === rule.provider ? grantId : newest(userId, rule.provider),
    );
  }

  function newest(userId: string, provider: string | null): string | null | Promise<string | null> {
    const known = newestOf.get(userId)?.get(provider);
    if (known !== undefined) return known;
    let byProvider = newestOf.get(userId);
    if (byProvider === undefined) {
      byProvider = new Map();
      newestOf.set(userId, byProvider, now() + CHECKED);
    }
    // What is found after a `forget` goes into a map that nobody looks at any more.
    const mine = byProvider;
    return store.newest(userId, provider).then(found => {
      const grantId = found?.id ?? null;
      mine.set(provider, grantId);
      return grantId;
    });
  }

  function providerOfGrant(grantId: string): string | null | Promise<string | null> {
    const known = providerOf.get(grantId);
    if (known !== undefined) return known;
    return store.read(grantId).then(grant => {
      if (grant !== null) providerOf.set(grantId, grant.provider, Number.POSITIVE_INFINITY);
      return grant?.provider ?? null;
    });
  }

  /** The access token of an opened grant lives; its ID token has its own end (`exp`), and may be renewed with the grant. */
  function tokenOf(opened: Opened, rule: SignInRule): Credential | Promise<Credential> {
    if (rule.token === 'access_token') return opened.accessToken;
    if (livingIdToken(opened) !== null) return opened.idToken!;
    if (!opened.idTokenRenewable) return standIn(opened, rule);
    return grants
      .renew(opened.grantId, opened.version)
      .then(() => grants.get(opened.grantId))
      .then(renewed => livingIdToken(renewed) ?? standIn(renewed, rule));
  }

  const livingIdToken = ({ idToken }: Opened): Credential | null =>
    idToken !== null && idToken.expiresAt > now() ? idToken : null;

  function standIn(opened: Opened, rule: SignInRule): Credential {
    if (!rule.strict) return opened.accessToken;
    // One that might yet come is no reason to send people to the sign-in.
    if (opened.idTokenRenewable) throw refusals.unavailable(opened.provider, RENEWED_AGAIN);
    throw refusals.reauth(opened.provider);
  }

  return { credentialFor, forget: userId => newestOf.delete(userId) };
}

/** What goes out where there is no grant: the upstream's key, or nothing. */
function without(rule: SignInRule, refusal: () => AppError): Credential {
  if (rule.fallback !== null) return staticCredential(rule.fallback);
  throw refusal();
}
