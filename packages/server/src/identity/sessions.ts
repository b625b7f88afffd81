import type { Bus } from '../platform/bus.ts';
import type { Lookups } from '../platform/cache.ts';
import { newId, newToken, sha256 } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import { type Actor, type Audit, gatewayFor } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { type Loaded, PrincipalCache } from './principal-cache.ts';
import type { Cookie } from './session-cookie.ts';
import type {
  EndedSession,
  ListedSession,
  LiveSession,
  NewSession,
  ProviderSessions,
  SessionStore,
} from './session-store.ts';

/** A browser's header names itself at length; this much tells one from another. */
const MAX_USER_AGENT = 255;

export interface Sessions {
  /** A session under a new id, as at each sign-in. @returns its public id and the `Set-Cookie` line that carries the secret one */
  begin(session: Omit<NewSession, 'id' | 'hash'> & { how: How }): Promise<{ id: string; setCookie: string }>;
  /**
   * Who is behind a whole `Cookie` header; synchronous when the session was seen within the last seconds.
   * Undefined: it holds no session cookie; null: the session is not, or no longer, valid.
   */
  lookup(cookies: string | undefined): Principal | null | undefined | Promise<Principal | null>;
  /** The user's live sessions, newest first. */
  list(userId: string): Promise<ListedSession[]>;
  /** Whether it can still be used; looking is no use of it. */
  isLive(id: string): Promise<boolean>;
  /** Revokes one. Whether there was one. */
  end(id: string, by: Actor): Promise<boolean>;
  /** Its user signs out. Says what it was born with. */
  finish(id: string, by: Actor): Promise<EndedSession | null>;
  /** Ends the session behind a `Cookie` header, if there is one, for another that takes its place. */
  endOfCookies(cookies: string | undefined, by: Actor): Promise<EndedSession | null>;
  /** All of a user's, or all but one of them. */
  endAllOf(
    userId: string,
    by: Actor,
    why: 'user-disabled' | 'user-removed' | 'password-set',
    except?: string,
  ): Promise<void>;
  /** Of a provider that is removed. */
  endAllAt(provider: string, by: Actor): Promise<void>;
  /** How many live ones began at a provider. */
  countAt(provider: string): Promise<number>;
  /** Ends those that a provider has ended. @param address where it said so from */
  endOfProvider(which: ProviderSessions, address: string | null): Promise<EndedSession[]>;
  /** `Set-Cookie` that forgets it. */
  clearCookie(): string;
  /** Ends those whose time is over. @returns how many */
  purge(): Promise<number>;
}

/** How somebody proved to be who they are, for the audit. */
type How = 'provider' | 'password' | 'invitation' | 'password-link' | 'admin-link';
/** Why a session ended, for the audit. */
type Why =
  | 'revoked'
  | 'signed-out'
  | 'replaced'
  | 'user-disabled'
  | 'user-removed'
  | 'password-set'
  | 'provider'
  | 'provider-removed'
  | 'expired';

/** Browsers' sign-ins: a random id in a cookie, its hash in the database, a few seconds of memory in between. Each begin and end is recorded here. */
export function createSessions(deps: {
  store: SessionStore;
  cookie: Cookie;
  limits: { readonly idle: number; readonly absolute: number };
  bus: Bus;
  audit: Audit;
  runtime: Pick<Runtime, 'now' | 'random'>;
  lookups?: Lookups;
}): Sessions {
  const { store, cookie, limits, bus, audit, runtime } = deps;
  const cache = new PrincipalCache(runtime, deps.lookups);
  bus.subscribe(notice => {
    if (notice.topic === 'session-ended')
      cache.forget(principal => principal.credentialId === notice.sessionId);
    if (notice.topic === 'user-changed') cache.forget(principal => principal.userId === notice.userId);
  });

  async function load(hash: string): Promise<Loaded> {
    const session = await store.find(hash);
    if (session === null) throw NONE;
    await store.touch(session.id);
    return { principal: principalOf(session), expiresAt: session.expiresAt };
  }

  /** The word goes out after the row is gone: whoever asks from now on reads the truth. */
  function announce(ended: readonly EndedSession[], why: Why, by?: Actor): void {
    for (const { id, userId, provider } of ended) {
      bus.publish({ topic: 'session-ended', sessionId: id, userId });
      const detail = { user: userId, provider, why };
      audit.record({ action: 'session.end', ...(by ?? gatewayFor(userId)), target: id, detail });
    }
  }

  async function finish(
    ending: Promise<EndedSession | null>,
    why: Why,
    by: Actor,
  ): Promise<EndedSession | null> {
    const ended = await ending;
    if (ended !== null) announce([ended], why, by);
    return ended;
  }

  return {
    async begin(session) {
      const id = newId(runtime, 'ses');
      const value = newToken(runtime);
      const userAgent = session.userAgent?.slice(0, MAX_USER_AGENT) ?? null;
      await store.insert({ ...session, userAgent, id, hash: sha256(value) });
      const { userId, address, how, provider, grantId: grant } = session;
      bus.publish({ topic: 'session-begun', userId });
      const detail = { how, provider, grant };
      audit.record({ action: 'session.begin', userId, credentialId: id, address, target: id, detail });
      return { id, setCookie: cookie.set(value, limits.absolute) };
    },
    lookup(cookies) {
      const value = cookie.read(cookies);
      if (value === undefined || value === null) return value;
      const hash = sha256(value);
      const found = cache.lookup(hash, () => load(hash));
      return found instanceof Promise ? found.catch(nullWhereNone) : found;
    },
    list: store.list,
    isLive: store.isLive,
    end: async (id, by) => (await finish(store.end(id), 'revoked', by)) !== null,
    finish: (id, by) => finish(store.end(id), 'signed-out', by),
    async endOfCookies(cookies, by) {
      const value = cookie.read(cookies);
      return value === undefined || value === null
        ? null
        : finish(store.endByHash(sha256(value)), 'replaced', by);
    },
    async endAllOf(userId, by, why, except) {
      announce(await store.endAllOf(userId, except), why, by);
    },
    async endAllAt(provider, by) {
      announce(await store.endAllAt(provider), 'provider-removed', by);
    },
    countAt: store.countAt,
    async endOfProvider(which, address) {
      const ended = await store.endOfProvider(which);
      for (const session of ended)
        announce([session], 'provider', { ...gatewayFor(session.userId), address });
      return ended;
    },
    clearCookie: cookie.clear,
    async purge() {
      const ended = await store.purge();
      announce(ended, 'expired');
      return ended.length;
    },
  };
}

/** How `load` tells the cache that there is nothing to keep. */
const NONE = new Error('no such session');

function nullWhereNone(error: unknown): null {
  if (error === NONE) return null;
  throw error;
}

const principalOf = (session: LiveSession): Principal =>
  Object.freeze({
    userId: session.userId,
    email: session.email,
    name: session.name,
    groups: Object.freeze(session.groups),
    admin: session.admin,
    proof: 'session',
    credentialId: session.id,
    grantId: session.grantId,
    scope: null,
  });
