import { buildAuthorizationUrl, type Configuration, calculatePKCECodeChallenge } from 'openid-client';
import { newToken, sha256 } from '../platform/crypto.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { Provider } from '../terms/provider.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Cookie } from './session-cookie.ts';
import type { Sessions } from './sessions.ts';
import { type Exchanged, type Expected, exchange, type TokenSet } from './sign-in-exchange.ts';
import { refusalOf, SignInRefused } from './sign-in-refusal.ts';
import { returnPath } from './sign-in-return.ts';
import type { SignInKey, SignInStore } from './sign-in-store.ts';
import type { UserStore } from './user-store.ts';

/** How long a person may take at the provider, milliseconds. */
export const SIGN_IN_LIFETIME = 600_000;

/** The two families of paths under which sign-in is reached. */
export type Family = 'auth' | 'oauth';

/** What we need to know of the one who asks. */
export interface Visitor {
  readonly cookies: string | undefined;
  readonly address: string | null;
  readonly userAgent: string | null;
}

/** Where the browser goes next, and what it takes along. */
export interface Departure {
  readonly location: string;
  readonly setCookies: readonly string[];
}

/** Keeps a user's tokens, sealed. */
export type StoreGrant = (grant: {
  userId: string;
  provider: string;
  subject: string;
  kind: 'sign-in';
  tokens: TokenSet;
  address: string | null;
}) => Promise<string>;

/** Sealed in the database while the person is away. */
interface Kept extends Omit<Expected, 'state'> {
  readonly returnTo: string;
}

export interface SignIn {
  /** Off to the provider. @throws AppError `not_found`, `bad_request` for a foreign return path, `provider_failed` */
  leave(
    providerId: string,
    family: Family,
    returnTo: string | undefined,
    visitor: Visitor,
  ): Promise<Departure>;
  /**
   * A form_post answer. It comes as a cross-site POST without our cookie, so it can only be kept; the browser is sent to fetch it
   * with a GET, which carries the cookie (decision 0006).
   */
  keep(providerId: string, family: Family, parameters: URLSearchParams, visitor: Visitor): Promise<Departure>;
  /** The browser is back, with the answer itself or with the id of a kept one. @throws SignInRefused */
  arrive(providerId: string, parameters: URLSearchParams, visitor: Visitor): Promise<Departure>;
  purge(): Promise<number>;
}

/** Sign-in by authorization code with PKCE, `state`, `nonce` and `iss` (RFC 9700 section 2.1, OIDC Core section 3.1). */
export function createSignIn(deps: {
  store: SignInStore;
  users: Pick<UserStore, 'recognize'>;
  sessions: Pick<Sessions, 'begin' | 'end' | 'endOfCookies'>;
  servers: { provider(id: string): Provider; configurationFor(id: string): Promise<Configuration> };
  storeGrant: StoreGrant;
  endGrant(grantId: string, by: Actor): Promise<unknown>;
  sealer: Sealer;
  /** Binds a sign-in to the browser that began it. */
  cookie: Cookie;
  publicUrl: URL;
  runtime: Pick<Runtime, 'random'>;
  audit: Audit;
  log: Logger;
}): SignIn {
  const { store, users, sessions, servers, sealer, cookie, publicUrl, runtime, audit, log } = deps;

  async function take(providerId: string, parameters: URLSearchParams, visitor: Visitor) {
    const key = keyOf(parameters);
    const browser = cookie.read(visitor.cookies);
    const taken = browser ? await store.take(key, providerId, sha256(browser)) : null;
    if (taken === null) throw new SignInRefused(await store.whyNot(key, providerId));
    const kept = JSON.parse(sealer.open(taken.envelope, placeOf(taken.stateHash))) as Kept;
    if ('stateHash' in key) return { kept, parameters };
    return {
      kept,
      parameters: new URLSearchParams(sealer.open(taken.answer!, answerPlaceOf(taken.stateHash))),
    };
  }

  /** Whatever goes wrong between the provider and us is a refusal with a reason. */
  async function redeemed(provider: Provider, answer: URLSearchParams, kept: Kept): Promise<Exchanged> {
    try {
      const configuration = await servers.configurationFor(provider.id);
      // The hash of this very state was found: that is its check; the library compares it once more.
      return await exchange(provider, configuration, answer, { ...kept, state: answer.get('state')! });
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async function finish(
    provider: Provider,
    parameters: URLSearchParams,
    visitor: Visitor,
  ): Promise<Departure> {
    const { kept, parameters: answer } = await take(provider.id, parameters, visitor);
    const { person, tokens, sid } = await redeemed(provider, answer, kept);
    const user = await users.recognize(person);
    if (user.disabledAt !== null) throw new SignInRefused('user_disabled');
    const { address, userAgent } = visitor;
    const by = { userId: user.id, credentialId: null, address };
    if (user.isNew)
      audit.record({ action: 'user.create', ...by, target: user.id, detail: { provider: provider.id } });
    const { subject } = person;
    const grantId = await deps.storeGrant({
      userId: user.id,
      provider: provider.id,
      subject,
      kind: 'sign-in',
      tokens,
      address,
    });
    // The browser's former session loses its cookie now; nobody could end it later. Its grant stays: a provider may revoke
    // all of a person's tokens together, the new ones too.
    await sessions.endOfCookies(visitor.cookies, by);
    const begun = await sessions.begin({
      userId: user.id,
      grantId,
      provider: provider.id,
      providerSid: sid,
      subject,
      address,
      userAgent,
      how: 'provider',
    });
    try {
      servers.provider(provider.id);
    } catch (error) {
      // It was removed meanwhile, and what began there was ended before this began.
      await sessions.end(begun.id, by);
      await deps.endGrant(grantId, by);
      throw error;
    }
    return { location: kept.returnTo, setCookies: [begun.setCookie] };
  }

  /** Every refusal is recorded with its reason, once, here. */
  async function recorded<T>(providerId: string, visitor: Visitor, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof SignInRefused)) throw error;
      const { reason, detail } = error;
      audit.record({
        action: 'sign-in.refused',
        userId: null,
        credentialId: null,
        address: visitor.address,
        detail: { provider: providerId, reason, code: detail },
      });
      log.info({ provider: providerId, reason, code: detail }, 'a sign-in was refused');
      throw error;
    }
  }

  return {
    async leave(providerId, family, returnTo, visitor) {
      const provider = servers.provider(providerId);
      const path = returnPath(returnTo, publicUrl);
      const configuration = await servers.configurationFor(providerId);
      const redirectUri = `${publicUrl.origin}/${family}/${providerId}/callback`;
      const state = newToken(runtime);
      const kept: Kept = {
        redirectUri,
        nonce: newToken(runtime),
        codeVerifier: newToken(runtime),
        returnTo: path,
      };
      // Kept where there is one, so that two tabs can sign in at a time.
      const browser = cookie.read(visitor.cookies) ?? newToken(runtime);
      const stateHash = sha256(state);
      const envelope = sealer.seal(JSON.stringify(kept), placeOf(stateHash));
      await store.start(
        { stateHash, provider: providerId, browserHash: sha256(browser), envelope },
        SIGN_IN_LIFETIME,
      );
      const location = buildAuthorizationUrl(configuration, {
        ...consentFor(provider),
        ...provider.authorizationParams,
        redirect_uri: redirectUri,
        scope: provider.scope,
        state,
        code_challenge: await calculatePKCECodeChallenge(kept.codeVerifier),
        code_challenge_method: 'S256',
        ...(provider.protocol === 'oidc' ? { nonce: kept.nonce } : {}),
        ...(provider.responseMode === 'form_post' ? { response_mode: 'form_post' } : {}),
      });
      if (location.searchParams.get('prompt') === '') location.searchParams.delete('prompt');
      return { location: location.href, setCookies: [cookie.set(browser, SIGN_IN_LIFETIME)] };
    },

    async keep(providerId, family, parameters, visitor) {
      servers.provider(providerId);
      return recorded(providerId, visitor, async () => {
        const stateHash = sha256(parameters.get('state') ?? '');
        const id = newToken(runtime);
        const envelope = sealer.seal(parameters.toString(), answerPlaceOf(stateHash));
        if (
          !(await store.keepAnswer({ stateHash, provider: providerId, answerHash: sha256(id), envelope }))
        ) {
          throw new SignInRefused(await store.whyNot({ stateHash }, providerId, true));
        }
        return { location: `/${family}/${providerId}/callback?answer=${id}`, setCookies: [] };
      });
    },

    async arrive(providerId, parameters, visitor) {
      const provider = servers.provider(providerId);
      return recorded(providerId, visitor, () => finish(provider, parameters, visitor));
    },

    purge: store.purge,
  };
}

/** Associated data: an envelope moved to another sign-in does not open. */
const placeOf = (stateHash: string): string => `sign-in:${stateHash}`;
const answerPlaceOf = (stateHash: string): string => `sign-in-answer:${stateHash}`;

function keyOf(parameters: URLSearchParams): SignInKey {
  const answer = parameters.get('answer');
  return answer === null
    ? { stateHash: sha256(parameters.get('state') ?? '') }
    : { answerHash: sha256(answer) };
}

/**
 * OIDC Core section 11: without `prompt=consent` a server must ignore `offline_access`, and then gives no refresh token. Servers
 * that give one anyway, and bother people with the question, are told otherwise by `authorizationParams: { prompt: '' }`.
 */
const consentFor = (provider: Provider): Record<string, string> =>
  provider.scope.split(' ').includes('offline_access') ? { prompt: 'consent' } : {};
