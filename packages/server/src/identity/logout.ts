import { buildEndSessionUrl, type Configuration } from 'openid-client';
import { asAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { oauthFailure } from '../platform/oauth/failure.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Provider } from '../terms/provider.ts';
import type { LogoutTokens } from './logout-token.ts';
import type { Sessions } from './sessions.ts';
import type { Departure } from './sign-in.ts';

const SIGNED_OUT = '/auth/login';

export interface Logout {
  /** Ends the principal's session and its grant. Leads to the provider's own sign-out where it has one, else to our sign-in page. */
  signOut(principal: Principal, address: string | null): Promise<Departure>;
  /** Ends the sessions that a provider's logout token names (OIDC Back-Channel Logout 1.0). @throws AppError `not_found`, `bad_request`, `provider_failed` */
  byProvider(providerId: string, logoutToken: string, address: string | null): Promise<void>;
}

/** Sign-out, by the person or by their provider. */
export function createLogout(deps: {
  sessions: Pick<Sessions, 'finish' | 'endOfProvider' | 'clearCookie'>;
  servers: { provider(id: string): Provider; configurationFor(id: string): Promise<Configuration> };
  logoutTokens: LogoutTokens;
  /** Revokes at the provider (RFC 7009) and forgets. Best effort: a provider that is away keeps nobody signed in here. */
  endGrant: (grantId: string, by: Actor) => Promise<unknown>;
  publicUrl: URL;
  audit: Audit;
  log: Logger;
}): Logout {
  const { sessions, servers, logoutTokens, endGrant, publicUrl, audit, log } = deps;

  async function forget(grantId: string, by: Actor): Promise<void> {
    try {
      await endGrant(grantId, by);
    } catch (error) {
      log.warn({ grant: grantId, code: oauthFailure(error).code }, 'a grant could not be ended at sign-out');
    }
  }

  /**
   * RP-Initiated Logout 1.0 section 2. `id_token_hint` would put a token into a URL (rule 5): `client_id` names us instead, and the
   * provider asks the person where it wants to be sure.
   */
  async function providersSignOut(providerId: string): Promise<string> {
    try {
      const configuration = await servers.configurationFor(providerId);
      if (configuration.serverMetadata().end_session_endpoint === undefined) return SIGNED_OUT;
      const back = `${publicUrl.origin}${SIGNED_OUT}`;
      return buildEndSessionUrl(configuration, { post_logout_redirect_uri: back }).href;
    } catch {
      return SIGNED_OUT;
    }
  }

  return {
    async signOut(principal, address) {
      const nothing = { location: SIGNED_OUT, setCookies: [sessions.clearCookie()] };
      if (principal.proof !== 'session') return nothing;
      const by = { userId: principal.userId, credentialId: principal.credentialId, address };
      const ended = await sessions.finish(principal.credentialId, by);
      if (ended === null) return nothing;
      if (ended.grantId !== null) await forget(ended.grantId, by);
      return ended.provider === null
        ? nothing
        : { ...nothing, location: await providersSignOut(ended.provider) };
    },

    async byProvider(providerId, logoutToken, address) {
      const provider = servers.provider(providerId);
      const claims = await logoutTokens.verify(provider, logoutToken).catch((error: unknown) => {
        const detail = { provider: providerId, code: asAppError(error).code };
        audit.record({ action: 'logout.refused', userId: null, credentialId: null, address, detail });
        throw error;
      });
      await sessions.endOfProvider({ provider: providerId, ...claims }, address);
    },
  };
}
