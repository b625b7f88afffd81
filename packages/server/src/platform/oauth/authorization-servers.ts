import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client';
import type { Provider } from '../../terms/provider.ts';
import { ExpiringCache } from '../cache.ts';
import { AppError } from '../errors.ts';
import { isLoopbackHost } from '../net.ts';
import type { Runtime } from '../runtime.ts';
import { providerFailed } from './failure.ts';

const HOUR = 3_600_000;
/** After the n-th failure in a row nobody asks again for 1, 2, 4 … 30 s, milliseconds. */
const FIRST_BACKOFF = 1_000;
const LAST_BACKOFF = 30_000;
/** Of a provider that was removed, milliseconds. */
const SPOKEN_TO = 600_000;
const MAX_RETIRED = 1_000;

interface Found {
  configuration: Configuration | null;
  /** When to look again, epoch milliseconds. */
  until: number;
  failures: number;
  error: AppError | null;
  asking: Promise<Configuration> | null;
}

export interface AuthorizationServers {
  /** @throws AppError `not_found` */
  provider(id: string): Provider;
  /**
   * How to speak with a provider, or with one that was removed just now. Discovered at first use and again after an hour; while that fails,
   * what was known goes on being used.
   * @throws AppError `not_found`; `provider_failed` when it could never be discovered
   */
  configurationFor(id: string): Promise<Configuration>;
  /** A provider is gone; for ten minutes it is still spoken to, to have its tokens revoked. */
  retire(provider: Provider): void;
}

/** The providers as clients of the field's own library, which makes and checks every message of the protocols. */
export function createAuthorizationServers(deps: {
  /** As they are now. */
  providers: { list(): readonly Provider[] };
  /** The guarded fetch for operators' destinations. */
  fetch: (url: string, init?: RequestInit) => Promise<Response>;
  runtime: Pick<Runtime, 'now'>;
  insecureHttp: boolean;
}): AuthorizationServers {
  const { providers, runtime } = deps;
  /** By the provider as it was read: one that was changed is another. */
  const known = new WeakMap<Provider, Found>();
  const retired = new ExpiringCache<Provider>({ max: MAX_RETIRED, now: () => runtime.now() });

  const find = (id: string) => providers.list().find(candidate => candidate.id === id);

  function provider(id: string): Provider {
    const found = find(id);
    if (found === undefined) throw new AppError('not_found', 'There is no such provider.');
    return found;
  }

  async function look(wanted: Provider, found: Found): Promise<Configuration> {
    try {
      found.configuration = await configure(wanted, deps);
      found.until = runtime.now() + HOUR;
      found.failures = 0;
      return found.configuration;
    } catch (error) {
      found.until = runtime.now() + Math.min(FIRST_BACKOFF * 2 ** found.failures, LAST_BACKOFF);
      found.failures += 1;
      found.error = providerFailed(
        `${wanted.name} does not answer as an authorization server. Try again in a moment.`,
        error,
      );
      if (found.configuration !== null) return found.configuration;
      throw found.error;
    }
  }

  return {
    provider,
    retire: gone => retired.set(gone.id, gone, runtime.now() + SPOKEN_TO),
    async configurationFor(id) {
      const wanted = find(id) ?? retired.get(id) ?? provider(id);
      let found = known.get(wanted);
      if (found === undefined) {
        found = { configuration: null, until: 0, failures: 0, error: null, asking: null };
        known.set(wanted, found);
      }
      const current = found;
      if (runtime.now() < current.until) {
        if (current.configuration !== null) return current.configuration;
        if (current.error !== null) throw current.error;
      }
      current.asking ??= look(wanted, current).finally(() => {
        current.asking = null;
      });
      return current.asking;
    },
  };
}

async function configure(
  provider: Provider,
  deps: { fetch: (url: string, init?: RequestInit) => Promise<Response>; insecureHttp: boolean },
): Promise<Configuration> {
  const issuer = new URL(provider.issuer);
  const plain = issuer.protocol === 'http:' && (deps.insecureHttp || isLoopbackHost(issuer.hostname));
  const fetch = (url: string, init: object) => deps.fetch(url, init);
  const authentication = clientAuthentication(provider);
  if (provider.protocol === 'oauth2') {
    const { endpoints } = provider;
    if (endpoints === null)
      throw new AppError('config_invalid', `Provider ${provider.id} needs its endpoints.`);
    const metadata = {
      issuer: provider.issuer,
      authorization_endpoint: endpoints.authorization,
      token_endpoint: endpoints.token,
      userinfo_endpoint: endpoints.userinfo,
    };
    const configuration = new Configuration(metadata, provider.clientId, {}, authentication);
    configuration[customFetch] = fetch;
    if (plain) allowInsecureRequests(configuration);
    return configuration;
  }
  return discovery(issuer, provider.clientId, {}, authentication, {
    [customFetch]: fetch,
    // Without it the library trusts an ID token that came over TLS (OIDC Core section 3.1.3.7, item 6); ours may come over less.
    execute: plain ? [allowInsecureRequests, enableNonRepudiationChecks] : [enableNonRepudiationChecks],
  });
}

/** `client_secret_basic`, which every server must know (RFC 6749 section 2.3.1) and is registered with by default, unless it says that it takes only `client_secret_post`. */
function clientAuthentication(provider: Provider): ClientAuth {
  if (provider.clientSecret === null) return None();
  const basic = ClientSecretBasic(provider.clientSecret.reveal());
  const post = ClientSecretPost(provider.clientSecret.reveal());
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported;
    const usesPost =
      provider.protocol === 'oauth2' ||
      (methods !== undefined &&
        !methods.includes('client_secret_basic') &&
        methods.includes('client_secret_post'));
    return (usesPost ? post : basic)(server, client, body, headers);
  };
}
