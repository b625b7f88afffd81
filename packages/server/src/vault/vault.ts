import type { Config } from '../config/types.ts';
import type { Bus } from '../platform/bus.ts';
import type { Lookups } from '../platform/cache.ts';
import { newId } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { oauthFailure } from '../platform/oauth/failure.ts';
import type { Runtime } from '../platform/runtime.ts';
import { type Actor, type Audit, gatewayFor } from '../terms/audit.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Provider } from '../terms/provider.ts';
import type { Shelf } from '../terms/sealer.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import { lifetimeOf } from './lifetime.ts';
import { createOpenedGrants } from './opened-grants.ts';
import type { Refresh } from './refresh.ts';
import { createRefusals } from './refusals.ts';
import { rotate, unreadable } from './rotate.ts';
import type { KeyringSealer } from './seal.ts';
import { createSignInCredentials } from './sign-in-credentials.ts';
import { staticCredential } from './static-credential.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import { placeOf, type TokenResponse, type Tokens, tokensOf } from './tokens.ts';

/** What people see of a grant: no token. Times are epoch milliseconds. */
export type GrantSummary = Pick<
  Grant,
  | 'id'
  | 'provider'
  | 'scope'
  | 'state'
  | 'expiresAt'
  | 'refreshedAt'
  | 'refreshResult'
  | 'usedAt'
  | 'createdAt'
>;

export interface NewGrant {
  readonly userId: string;
  readonly provider: string;
  readonly subject: string;
  readonly kind: 'sign-in';
  readonly tokens: TokenResponse;
  /** Where the person came from who gave it. */
  readonly address: string | null;
}

/** The one way to a credential; nothing else opens a grant. */
export interface Vault {
  /**
   * What this upstream is to receive for this principal; null where its rule says `none`. Synchronous when warm.
   * @throws AppError `credential_missing` or `reauth_required` (401, `action` says where to sign in), `unavailable` (503, with
   * `retry-after`), `seal_broken`
   */
  credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  /** Something newer than a credential that the upstream refused, got by one forced refresh for each version; else null. Never throws. */
  renew(principal: Principal, upstream: Upstream, refused: Credential): Promise<Credential | null>;
  /**
   * The caller's own token for their own program, where the upstream's rule says `release`; never a static key. Seconds.
   * @throws AppError `forbidden`, and as `credentialFor`
   */
  release(
    principal: Principal,
    upstream: Upstream,
    address: string | null,
  ): Promise<{ access_token: string; token_type: 'Bearer'; expires_in: number }>;
  /** Keeps what a sign-in brought. @returns the grant's id */
  storeGrant(grant: NewGrant): Promise<string>;
  /** Forgets a grant, then has its provider revoke it (RFC 7009): best effort, five seconds at most. @returns whether there was one */
  endGrant(grantId: string, by: Actor): Promise<boolean>;
  /** Forgets grants that can no longer be used and that nobody asked for in `unusedFor` ms. @returns how many */
  purge(unusedFor: number): Promise<number>;
  /** Forgets every grant of a provider that is removed; it is told behind the answer, a few tokens at a time, where it listens. */
  endGrantsAt(provider: string, by: Actor): Promise<void>;
  /** How many grants there are of a provider. */
  countAt(provider: string): Promise<number>;
  grantsOf(userId: string): Promise<GrantSummary[]>;
  /** Refreshes a grant that the sweep found due. Never throws. */
  refreshDue(grant: Grant): Promise<void>;
  /** Seals every grant, and what lies on the other shelves, anew under the newest key, beside whatever else happens; can be stopped and begun again. @returns how many */
  rotate(options?: { signal?: AbortSignal; onProgress?: (resealed: number) => void }): Promise<number>;
  /** How many records are sealed under a key that is not in the ring. */
  unreadable(): Promise<number>;
}

export interface VaultDeps {
  store: GrantStore;
  /** Sealed records that other rooms keep. */
  shelves?: readonly Shelf[];
  sealer: KeyringSealer;
  refresh: Refresh;
  endpoint: TokenEndpoint;
  runtime: Runtime;
  bus: Bus;
  audit: Audit;
  log: Logger;
  providers: { list(): readonly Pick<Provider, 'id' | 'name'>[] };
  /** Of opened grants. */
  lookups?: Lookups;
  config: Pick<Config, 'publicUrl' | 'forwarding'>;
}

const REVOKE_PATIENCE = 5_000;
/** Of the tokens of a provider that is removed. */
const REVOKED_AT_ONCE = 5;

export function createVault(deps: VaultDeps): Vault {
  const { store, shelves = [], sealer, refresh, endpoint, runtime, bus, audit, log, config } = deps;

  const refusals = createRefusals({ publicUrl: config.publicUrl, providers: deps.providers });
  const grants = createOpenedGrants({ ...deps, refusals });
  const signIn = createSignInCredentials({ ...deps, grants, refusals, forwarding: config.forwarding });
  bus.subscribe(notice => {
    if (notice.topic !== 'grant-changed') return;
    grants.forget(notice.grantId);
    signIn.forget(notice.userId);
  });

  function credentialFor(principal: Principal, upstream: Upstream) {
    const rule = upstream.credential;
    switch (rule.use) {
      case 'none':
        return null;
      case 'key':
        return staticCredential(rule);
      case 'sign-in':
        return signIn.credentialFor(principal, upstream, rule);
    }
  }

  /** The word goes out after the row is changed: whoever looks from now on sees it. */
  function changed(
    grant: Pick<Grant, 'id' | 'userId' | 'provider'>,
    action: 'grant.store' | 'grant.end',
    by: Actor,
    why: string,
  ): void {
    const { id, userId, provider } = grant;
    bus.publish({ topic: 'grant-changed', grantId: id, userId });
    audit.record({ action, ...by, target: id, detail: { user: userId, provider, why } });
  }

  async function revoke(grant: Grant): Promise<void> {
    const tokens = opened(grant);
    // RFC 7009 section 2.1: with a refresh token, the access tokens of the same grant go too.
    const { refresh_token } = tokens;
    const { revoke } = await endpoint.open(grant.provider);
    await (refresh_token === undefined
      ? revoke(tokens.access_token, 'access_token')
      : revoke(refresh_token, 'refresh_token'));
  }

  /** Never throws, and takes five seconds at most. */
  async function revoked(grant: Grant): Promise<void> {
    const over = new AbortController();
    const revoking = revoke(grant).catch((error: unknown) => {
      const { code, status } = oauthFailure(error);
      log.warn(
        { grant: grant.id, provider: grant.provider, code, status },
        'a provider did not confirm a revocation',
      );
    });
    await Promise.race([revoking, runtime.sleep(REVOKE_PATIENCE, over.signal).catch(() => {})]);
    over.abort();
  }

  const opened = (grant: Grant): Tokens => JSON.parse(sealer.open(grant.envelope, placeOf(grant))) as Tokens;

  return {
    credentialFor,

    async renew(principal, upstream, refused) {
      const rule = upstream.credential;
      if (rule.use !== 'sign-in' || refused.source === null) return null;
      try {
        await grants.renew(refused.source.grantId, refused.source.version);
        const credential = await signIn.credentialFor(principal, upstream, { ...rule, fallback: null });
        return credential.value === refused.value ? null : credential;
      } catch (error) {
        // The client hears what the upstream said; the next call says why there is no newer token.
        const { code } = oauthFailure(error);
        log.info(
          { upstream: upstream.id, grant: refused.source.grantId, code },
          'no newer token after a refusal',
        );
        return null;
      }
    },

    async release(principal, upstream, address) {
      const rule = upstream.credential;
      if (rule.use !== 'sign-in' || !rule.release || principal.proof === 'anonymous') {
        throw new AppError(
          'forbidden',
          `Tokens for ${upstream.id} are not released: its credential rule would have to say sign-in, and release: true`,
        );
      }
      const credential = await signIn.credentialFor(principal, upstream, { ...rule, fallback: null });
      const detail = { grant: credential.source!.grantId, version: credential.source!.version };
      const { userId, credentialId } = principal;
      audit.record({ action: 'token.release', userId, credentialId, address, target: upstream.id, detail });
      return {
        access_token: credential.value.slice('Bearer '.length),
        token_type: 'Bearer',
        expires_in: Math.max(0, Math.floor((credential.expiresAt - runtime.now()) / 1_000)),
      };
    },

    async storeGrant({ tokens: response, address, ...grant }) {
      const id = newId(runtime, 'grt');
      const tokens = tokensOf(response);
      const hasRefreshToken = tokens.refresh_token !== undefined;
      await store.insert({
        ...grant,
        id,
        envelope: sealer.seal(JSON.stringify(tokens), placeOf({ id, userId: grant.userId, version: 1 })),
        kid: sealer.kid,
        scope: response.scope ?? '',
        lifetime: lifetimeOf(response.expires_in, hasRefreshToken),
        hasRefreshToken,
      });
      changed({ id, ...grant }, 'grant.store', { ...gatewayFor(grant.userId), address }, grant.kind);
      return id;
    },

    async endGrant(grantId, by) {
      const grant = await store.delete(grantId);
      if (grant === null) return false;
      changed(grant, 'grant.end', by, 'ended');
      await revoked(grant);
      return true;
    },

    async endGrantsAt(provider, by) {
      const gone = await store.deleteAt(provider);
      for (const grant of gone) changed(grant, 'grant.end', by, 'provider-removed');
      const work = gone[Symbol.iterator]();
      for (let n = 0; n < REVOKED_AT_ONCE; n++) {
        void (async () => {
          for (const grant of work) await revoked(grant);
        })();
      }
    },

    countAt: store.countAt,

    async purge(unusedFor) {
      const gone = await store.purge(unusedFor);
      for (const grant of gone) changed(grant, 'grant.end', gatewayFor(grant.userId), 'unused');
      return gone.length;
    },

    grantsOf: async userId => (await store.ofUser(userId)).map(summaryOf),

    async refreshDue(grant) {
      try {
        await refresh.run(grant.id, { wanting: grant.version, refused: false });
      } catch (error) {
        log.warn({ err: error, grant: grant.id }, 'a grant that is due was not refreshed');
      }
    },

    rotate: options => rotate({ store, shelves, sealer, audit, ...options }),

    async unreadable() {
      const lost = await unreadable([store, ...shelves], sealer);
      return lost.reduce((sum, { count }) => sum + count, 0);
    },
  };
}

const summaryOf = (grant: Grant): GrantSummary => ({
  id: grant.id,
  provider: grant.provider,
  scope: grant.scope,
  state: grant.state,
  expiresAt: grant.expiresAt,
  refreshedAt: grant.refreshedAt,
  refreshResult: grant.refreshResult,
  usedAt: grant.usedAt,
  createdAt: grant.createdAt,
});
