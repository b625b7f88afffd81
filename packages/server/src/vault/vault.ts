import { decodeJwt } from 'jose';
import type { Config, Service } from '../config/types.ts';
import type { Bus } from '../platform/bus.ts';
import { ExpiringCache } from '../platform/cache.ts';
import { newId } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { CredentialRule, StaticKey, Upstream, UpstreamKind } from '../terms/upstream.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import { dueAt, lifetimeOf, usableUntil } from './lifetime.ts';
import type { Refresh } from './refresh.ts';
import { createRefusals } from './refusals.ts';
import { rotate } from './rotate.ts';
import type { KeyringSealer } from './seal.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import { placeOf, type TokenResponse, type Tokens, tokensOf } from './tokens.ts';

/** Milliseconds for which a look at the database holds: what bounds a revocation that another process made (rule 7). */
const CHECKED = 5_000;
/** Milliseconds that opened tokens stay in memory, and for how many grants (performance.md, rule 2). */
const OPENED = 5 * 60_000;
const MAX_CACHED = 50_000;
/** `used_at` is written no oftener. */
const TOUCH = 60_000;

/** What people see of a grant. Times are epoch milliseconds. */
export type GrantSummary = Pick<
  Grant,
  | 'id'
  | 'userId'
  | 'provider'
  | 'scope'
  | 'state'
  | 'expiresAt'
  | 'refreshedAt'
  | 'refreshResult'
  | 'createdAt'
>;

export interface NewGrant {
  readonly userId: string;
  readonly provider: string;
  readonly subject: string;
  readonly kind: 'sign-in';
  readonly tokens: TokenResponse;
}

/** Every credential goes through here; nothing else opens a grant. */
export interface Vault {
  /**
   * What this upstream is to receive for this principal; null where its rule says `none`. Synchronous when warm.
   * @throws AppError `credential_missing`, `reauth_required`, `unavailable`
   */
  credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  /** The upstream refused this one: a newer one, got by one forced refresh for each version; null when there is none. */
  renew(principal: Principal, upstream: Upstream, refused: Credential): Promise<Credential | null>;
  /**
   * The user's own token for their own program, where the upstream's rule says `release`.
   * @throws AppError `forbidden`, and as `credentialFor`
   */
  release(
    principal: Principal,
    upstream: Upstream,
  ): Promise<{ access_token: string; token_type: 'Bearer'; expires_in: number }>;
  /** Keeps what a sign-in brought. @returns the grant's id */
  storeGrant(grant: NewGrant): Promise<string>;
  /** Ends a grant here and, best effort, at its provider (RFC 7009). @returns whether there was one */
  endGrant(grantId: string): Promise<boolean>;
  grantsOf(userId: string): Promise<GrantSummary[]>;
  /** Refreshes a grant that the sweep found due. */
  refreshDue(grant: Grant): Promise<void>;
  /** Seals everything anew under the newest key; can be stopped and started again. */
  rotate(options?: { signal?: AbortSignal; onProgress?: (resealed: number) => void }): Promise<number>;
}

type SignInRule = Extract<CredentialRule, { use: 'sign-in' }>;

/** A version of a grant, opened. */
interface Opened {
  readonly version: number;
  readonly tokens: Tokens;
  /** Of the ID token, epoch milliseconds; 0 without one. */
  readonly idTokenExpiresAt: number;
}

const SERVICE_OF: Record<UpstreamKind, Service> = {
  openai: 'openai',
  openapi: 'tools',
  http: 'tools',
  mcp: 'mcp',
  terminal: 'terminals',
};

export function createVault(deps: {
  store: GrantStore;
  sealer: KeyringSealer;
  refresh: Refresh;
  endpoint: TokenEndpoint;
  runtime: Runtime;
  bus: Bus;
  audit: Audit;
  log: Logger;
  config: Pick<Config, 'publicUrl' | 'forwarding'>;
}): Vault {
  const { store, sealer, refresh, runtime, bus, audit, log } = deps;
  const refusals = createRefusals(deps.config.publicUrl);
  const now = () => runtime.now();
  /** By user, then by the session's grant and the upstream: what goes out, until the next look at the database. */
  const warm = new ExpiringCache<Map<string, Credential>>({ max: MAX_CACHED, now });
  /** By grant; good for as long as its version is the stored one. */
  const opened = new ExpiringCache<Opened>({ max: MAX_CACHED, now });
  const touched = new ExpiringCache<true>({ max: MAX_CACHED, now });
  const staticCredentials = new WeakMap<StaticKey, Credential>();

  bus.subscribe(notice => {
    if (notice.topic === 'grant-changed') opened.delete(notice.grantId);
    if (notice.topic === 'grant-changed' || notice.topic === 'user-changed') warm.delete(notice.userId);
  });

  function credentialFor(
    principal: Principal,
    upstream: Upstream,
  ): Credential | null | Promise<Credential | null> {
    const rule = upstream.credential;
    if (rule.use === 'none') return null;
    if (rule.use === 'key') return fromKey(rule);
    return (
      warm.get(principal.userId)?.get(warmKey(principal, upstream)) ??
      signInCredential(principal, upstream, rule, null)
    );
  }

  function fromKey(key: StaticKey): Credential {
    let credential = staticCredentials.get(key);
    if (credential === undefined) {
      const secret = key.key.reveal();
      const value = key.scheme === '' ? secret : `${key.scheme} ${secret}`;
      credential = Object.freeze({
        header: key.header,
        value,
        expiresAt: Number.POSITIVE_INFINITY,
        source: null,
      });
      staticCredentials.set(key, credential);
    }
    return credential;
  }

  async function signInCredential(
    principal: Principal,
    upstream: Upstream,
    rule: SignInRule,
    refused: Credential | null,
  ): Promise<Credential> {
    const { enabled, services } = deps.config.forwarding;
    const forwarding = enabled && services.includes(SERVICE_OF[upstream.kind]);
    const found = forwarding ? await grantFor(principal, rule) : null;
    if (found === null) {
      if (rule.fallback !== null) return fromKey(rule.fallback);
      throw refusals.missing(upstream, forwarding);
    }
    try {
      const grant = await usable(found, refused);
      const credential = credentialOf(grant, rule);
      if (credential === null) throw refusals.missing(upstream, true);
      keepWarm(principal, upstream, grant, credential);
      return credential;
    } catch (error) {
      const over =
        error instanceof AppError &&
        (error.code === 'reauth_required' || error.code === 'credential_missing');
      if (over && rule.fallback !== null) return fromKey(rule.fallback);
      throw error;
    }
  }

  /** A session acts by the grant it was born with, a program by its user's newest one. */
  async function grantFor(principal: Principal, rule: SignInRule): Promise<Grant | null> {
    if (principal.proof === 'anonymous') return null;
    if (principal.grantId !== null) {
      const own = await store.read(principal.grantId);
      const mine = own !== null && own.userId === principal.userId ? own : null;
      if (rule.provider === null || mine?.provider === rule.provider) return mine;
    }
    const newest = await store.newest(principal.userId, rule.provider);
    return newest === null ? null : store.read(newest.id);
  }

  /** The grant in a version that may be sent: neither due nor refused, where that can be had. */
  async function usable(grant: Grant, refused: Credential | null): Promise<Grant> {
    const wasRefused = refused?.source?.grantId === grant.id && refused.source.version >= grant.version;
    const good = !wasRefused && grant.state !== 'reauth_required' && dueAt(grant) > grant.now;
    if (good) return grant;
    const outcome = await refresh.run(grant.id, { wanting: grant.version, refused: wasRefused });
    switch (outcome.is) {
      case 'usable': {
        const fresh = await store.read(grant.id);
        if (fresh === null) throw refusals.reauth(grant.provider);
        // It may have been changed again since; what has expired is not handed out in any case.
        if (usableUntil(fresh) <= fresh.now) throw refusals.unavailable(grant.provider, 1_000);
        return fresh;
      }
      case 'unavailable':
        throw refusals.unavailable(grant.provider, (outcome.until ?? 0) - grant.now);
      default:
        throw refusals.reauth(grant.provider);
    }
  }

  function open(grant: Grant): Opened {
    const known = opened.get(grant.id);
    if (known !== undefined && known.version === grant.version) return known;
    const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    const entry = { version: grant.version, tokens, idTokenExpiresAt: expiryOf(tokens.id_token) };
    opened.set(grant.id, entry, now() + OPENED);
    return entry;
  }

  /** The token the rule wants, else, unless it is strict, the other one; null when neither lives. */
  function credentialOf(grant: Grant, rule: SignInRule): Credential | null {
    const { tokens, idTokenExpiresAt } = open(grant);
    const access = { value: tokens.access_token, lifetime: usableUntil(grant) - grant.now };
    const identity = { value: tokens.id_token, lifetime: idTokenExpiresAt - now() };
    const [wanted, other] = rule.token === 'id_token' ? [identity, access] : [access, identity];
    const token = [wanted, ...(rule.strict ? [] : [other])].find(
      ({ value, lifetime }) => value !== undefined && lifetime > 0,
    );
    if (token === undefined) return null;
    return {
      header: 'authorization',
      value: `Bearer ${token.value}`,
      expiresAt: now() + token.lifetime,
      source: { grantId: grant.id, version: grant.version },
    };
  }

  function keepWarm(principal: Principal, upstream: Upstream, grant: Grant, credential: Credential): void {
    const next = now() + CHECKED;
    const due = now() + dueAt(grant) - grant.now;
    if (due > next && credential.expiresAt > next) {
      const mine = warm.get(principal.userId);
      // What joins the others of its user is looked at when they are, which is sooner.
      if (mine !== undefined) mine.set(warmKey(principal, upstream), credential);
      else warm.set(principal.userId, new Map([[warmKey(principal, upstream), credential]]), next);
    }
    if (touched.get(grant.id)) return;
    touched.set(grant.id, true, now() + TOUCH);
    store
      .touch(grant.id)
      .catch((error: unknown) =>
        log.warn({ err: error, grant: grant.id }, 'the use of a grant could not be noted'),
      );
  }

  return {
    credentialFor,

    async renew(principal, upstream, refused) {
      const rule = upstream.credential;
      if (rule.use !== 'sign-in' || refused.source === null) return null;
      warm.delete(principal.userId);
      try {
        const fresh = await signInCredential(principal, upstream, rule, refused);
        return fresh.value === refused.value ? null : fresh;
      } catch (error) {
        // The client hears what the upstream said; why no newer token came is in the grant.
        log.info(
          { upstream: upstream.id, grant: refused.source.grantId, code: (error as AppError).code },
          'no newer token after a refusal',
        );
        return null;
      }
    },

    async release(principal, upstream) {
      const rule = upstream.credential;
      if (rule.use !== 'sign-in' || !rule.release) throw refusals.unreleased(upstream);
      // Never a static key: what is released is the caller's own.
      const credential = await signInCredential(principal, upstream, { ...rule, fallback: null }, null);
      audit.record({
        action: 'token.release',
        userId: principal.userId,
        credentialId: principal.credentialId,
        target: upstream.id,
        detail: { grant: credential.source!.grantId },
      });
      return {
        access_token: credential.value.slice('Bearer '.length),
        token_type: 'Bearer',
        expires_in: Math.max(0, Math.floor((credential.expiresAt - now()) / 1_000)),
      };
    },

    async storeGrant({ tokens: response, ...grant }) {
      const id = newId(runtime, 'grt');
      const tokens = tokensOf(response);
      const hasRefreshToken = tokens.refresh_token !== undefined;
      await store.insert({
        id,
        ...grant,
        envelope: sealer.seal(JSON.stringify(tokens), placeOf({ id, userId: grant.userId, version: 1 })),
        kid: sealer.kid,
        scope: response.scope ?? '',
        lifetime: lifetimeOf(response.expires_in, hasRefreshToken),
        hasRefreshToken,
      });
      audit.record({
        action: 'grant.store',
        userId: grant.userId,
        target: id,
        detail: { provider: grant.provider },
      });
      bus.publish({ topic: 'grant-changed', grantId: id, userId: grant.userId });
      return id;
    },

    async endGrant(grantId) {
      const grant = await store.delete(grantId);
      if (grant === null) return false;
      bus.publish({ topic: 'grant-changed', grantId, userId: grant.userId });
      audit.record({
        action: 'grant.end',
        userId: grant.userId,
        target: grantId,
        detail: { provider: grant.provider },
      });
      await tellProvider(grant);
      return true;
    },

    grantsOf: userId => store.ofUser(userId),

    async refreshDue(grant) {
      await refresh.run(grant.id, { wanting: grant.version, refused: false });
    },

    rotate: options => rotate({ store, sealer, audit, ...options }),
  };

  async function tellProvider(grant: Grant): Promise<void> {
    try {
      const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
      const endpoint = await deps.endpoint.open(grant.provider);
      // RFC 7009 section 2.1: revoking the refresh token ends the access tokens of the same grant too.
      if (tokens.refresh_token !== undefined) await endpoint.revoke(tokens.refresh_token, 'refresh_token');
      else await endpoint.revoke(tokens.access_token, 'access_token');
    } catch (error) {
      const { code = (error as Error).name } = error as { code?: string };
      log.warn(
        { provider: grant.provider, grant: grant.id, reason: code },
        'the provider did not confirm a revocation',
      );
    }
  }
}

/** One string to look up; ids hold no spaces. */
const warmKey = (principal: Principal, upstream: Upstream): string =>
  `${principal.grantId ?? ''} ${upstream.id}`;

/** `exp` of a JWT that was validated when it came, epoch milliseconds. */
function expiryOf(jwt: string | undefined): number {
  if (jwt === undefined) return 0;
  try {
    return (decodeJwt(jwt).exp ?? 0) * 1_000;
  } catch {
    return 0;
  }
}
