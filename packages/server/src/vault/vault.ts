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
import type { Grant, GrantStore } from './grant-store.ts';
import type { Refresh } from './refresh.ts';
import { dueAt } from './refresh-due.ts';
import { rotate } from './rotate.ts';
import type { KeyringSealer } from './seal.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import { placeOf, type TokenResponse, type Tokens } from './tokens.ts';

/** Milliseconds for which a look at the database holds: what bounds a revocation that another process made (rule 7). */
const CHECKED = 5_000;
const MAX_CACHED = 50_000;
/** `used_at` is written no oftener. */
const TOUCH = 60_000;
const REVOKE_TIMEOUT = 5_000;

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

/** Tokens opened for use, and the version they are. */
interface Opened {
  readonly grant: Grant;
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

type SignInRule = Extract<CredentialRule, { use: 'sign-in' }>;

export function createVault(deps: {
  store: GrantStore;
  sealer: KeyringSealer;
  refresh: Refresh;
  endpoint: Pick<TokenEndpoint, 'revoke'>;
  runtime: Runtime;
  bus: Bus;
  audit: Audit;
  log: Logger;
  config: Pick<Config, 'publicUrl' | 'forwarding'>;
}): Vault {
  const { store, sealer, refresh, runtime, bus, audit, log } = deps;
  const now = () => runtime.now();
  /** By user, then by the session's grant and the upstream: what goes out, for as long as it needs no second look. */
  const warm = new ExpiringCache<Map<string, Credential>>({ max: MAX_CACHED, now });
  /** By grant: what was opened, for as long as its version is the stored one. */
  const opened = new ExpiringCache<Opened>({ max: MAX_CACHED, now });
  const touched = new ExpiringCache<true>({ max: MAX_CACHED, now });
  const staticCredentials = new WeakMap<StaticKey, Credential>();

  bus.subscribe(notice => {
    if (notice.topic === 'grant-changed') opened.delete(notice.grantId);
    if (notice.topic === 'grant-changed' || notice.topic === 'user-changed') warm.delete(notice.userId);
  });

  function fromKey(key: StaticKey): Credential {
    let credential = staticCredentials.get(key);
    if (credential === undefined) {
      const value = key.scheme === '' ? key.key.reveal() : `${key.scheme} ${key.key.reveal()}`;
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

  const forwarded = (upstream: Upstream) => {
    const { enabled, services } = deps.config.forwarding;
    return enabled && services.includes(SERVICE_OF[upstream.kind]);
  };

  function credentialFor(
    principal: Principal,
    upstream: Upstream,
  ): Credential | null | Promise<Credential | null> {
    const rule = upstream.credential;
    if (rule.use === 'none') return null;
    if (rule.use === 'key') return fromKey(rule);
    const known = warm.get(principal.userId)?.get(warmKey(principal, upstream));
    if (known !== undefined && known.expiresAt > now()) return known;
    return signInCredential(principal, upstream, rule, null);
  }

  async function signInCredential(
    principal: Principal,
    upstream: Upstream,
    rule: SignInRule,
    refused: Credential | null,
  ): Promise<Credential> {
    const grant = forwarded(upstream) ? await grantFor(principal, rule) : null;
    if (grant === null) {
      if (rule.fallback !== null) return fromKey(rule.fallback);
      throw missing(upstream, forwarded(upstream));
    }
    try {
      const current = await usable(grant, refused);
      return keep(principal, upstream, credentialOf(current, rule, upstream));
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
      if (
        own !== null &&
        own.userId === principal.userId &&
        (rule.provider === null || own.provider === rule.provider)
      )
        return own;
      if (rule.provider === null) return null;
    }
    return store.newest(principal.userId, rule.provider);
  }

  /** The grant's tokens, none of them due or refused. */
  async function usable(found: Grant, refused: Credential | null): Promise<Opened> {
    let grant = found;
    const wasRefused = refused?.source?.grantId === grant.id && refused.source.version >= grant.version;
    if (wasRefused || dueAt(grant) <= grant.now || grant.state === 'reauth_required') {
      const outcome = await refresh.run(grant.id, grant.version, wasRefused);
      if (outcome.is === 'reauth_required') throw reauth(grant);
      if (outcome.is === 'gone')
        throw new AppError('credential_missing', 'Your sign-in has ended; sign in again.', {
          action: signInUrl(grant.provider),
        });
      if (outcome.is === 'unavailable') throw unavailable(grant, outcome.until - grant.now);
      const fresh = await store.read(grant.id);
      if (fresh === null) throw reauth(grant);
      grant = fresh;
    }
    if (grant.expiresAt <= grant.now) throw unavailable(grant, 1_000);
    return open(grant);
  }

  function open(grant: Grant): Opened {
    const known = opened.get(grant.id);
    if (known !== undefined && known.grant.version === grant.version) return known;
    const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    const entry = { grant, tokens, idTokenExpiresAt: expiryOf(tokens.id_token) };
    opened.set(grant.id, entry, now() + 5 * 60_000);
    return entry;
  }

  function credentialOf(from: Opened, rule: SignInRule, upstream: Upstream): Credential {
    const { grant, tokens } = from;
    const accessToken = { value: tokens.access_token, lifetime: grant.expiresAt - grant.now };
    const idToken =
      tokens.id_token === undefined
        ? null
        : { value: tokens.id_token, lifetime: from.idTokenExpiresAt - now() };
    const wanted = rule.token === 'id_token' ? idToken : accessToken;
    const token =
      wanted !== null && wanted.lifetime > 0
        ? wanted
        : rule.strict
          ? null
          : rule.token === 'id_token'
            ? accessToken
            : idToken;
    if (token === null || token.lifetime <= 0) throw missing(upstream, true);
    return {
      header: 'authorization',
      value: `Bearer ${token.value}`,
      expiresAt: now() + token.lifetime,
      source: { grantId: grant.id, version: grant.version },
    };
  }

  /** Warm until the next look at the database is due, or the token itself. */
  function keep(principal: Principal, upstream: Upstream, credential: Credential): Credential {
    const grantId = credential.source!.grantId;
    const grant = opened.get(grantId)?.grant;
    if (grant === undefined) return credential;
    const looked = now();
    const due = looked + (dueAt(grant) - grant.now);
    let mine = warm.get(principal.userId);
    if (mine === undefined) {
      mine = new Map();
      // One look after the first for all of a user's: what is added later is looked at sooner.
      warm.set(principal.userId, mine, looked + CHECKED);
    }
    if (due > looked + CHECKED && credential.expiresAt > looked + CHECKED) mine.set(warmKey(principal, upstream), credential);
    touch(grantId);
    return credential;
  }

  function touch(grantId: string): void {
    if (touched.get(grantId)) return;
    touched.set(grantId, true, now() + TOUCH);
    store
      .touch(grantId)
      .catch((error: unknown) =>
        log.warn({ err: error, grant: grantId }, 'the use of a grant could not be noted'),
      );
  }

  const signInUrl = (provider: string) =>
    new URL(`/auth/${encodeURIComponent(provider)}/login`, deps.config.publicUrl).href;

  function missing(upstream: Upstream, forwarding: boolean): AppError {
    const rule = upstream.credential;
    const provider = rule.use === 'sign-in' ? rule.provider : null;
    const action =
      provider === null ? new URL('/auth/login', deps.config.publicUrl).href : signInUrl(provider);
    const said = forwarding
      ? `${upstream.id} needs your own token, and there is none: sign in at ${action}.`
      : `${upstream.id} needs your own token, and token forwarding is switched off here; ask an admin.`;
    return new AppError('credential_missing', said, { action });
  }

  function reauth(grant: Grant): AppError {
    const action = signInUrl(grant.provider);
    return new AppError(
      'reauth_required',
      `Your sign-in at ${grant.provider} has ended: sign in again at ${action}.`,
      { action },
    );
  }

  function unavailable(grant: Grant, wait: number): AppError {
    const seconds = Math.max(1, Math.ceil(wait / 1_000));
    return new AppError(
      'unavailable',
      `Your token has expired, and ${grant.provider} does not renew it at the moment; try again in ${seconds} s.`,
      {
        headers: { 'retry-after': String(seconds) },
      },
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
      if (rule.use !== 'sign-in' || !rule.release) {
        throw new AppError(
          'forbidden',
          `The token for ${upstream.id} is not released to programs; its rule does not say release: true.`,
        );
      }
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

    async storeGrant({ tokens, ...grant }) {
      const id = newId(runtime, 'grt');
      await store.insert({ id, ...grant, ...refresh.seal({ id, userId: grant.userId, version: 1 }, tokens) });
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
      const over = new AbortController();
      await Promise.race([tellProvider(grant), runtime.sleep(REVOKE_TIMEOUT, over.signal).catch(() => {})]);
      over.abort();
      return true;
    },

    async grantsOf(userId) {
      return store.ofUser(userId);
    },

    async refreshDue(grant) {
      await refresh.run(grant.id, grant.version, false);
    },

    rotate: options => rotate({ store, sealer, audit, ...options }),
  };

  async function tellProvider(grant: Grant): Promise<void> {
    try {
      const tokens = JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;
      // RFC 7009 section 2.1: revoking the refresh token ends the access tokens of the same grant too.
      if (tokens.refresh_token !== undefined)
        await deps.endpoint.revoke(grant.provider, tokens.refresh_token, 'refresh_token');
      else await deps.endpoint.revoke(grant.provider, tokens.access_token, 'access_token');
    } catch (error) {
      log.warn(
        {
          provider: grant.provider,
          grant: grant.id,
          code: (error as { code?: string }).code ?? (error as Error).name,
        },
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
