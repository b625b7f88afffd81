import type { Config } from '../config/types.ts';
import { AppError } from '../platform/errors.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';

/** What the vault says when it has no credential: why, and where a person mends it. */
export function createRefusals(deps: {
  publicUrl: Config['publicUrl'];
  providers: { list(): readonly Pick<Provider, 'id' | 'name'>[] };
}) {
  const { publicUrl } = deps;
  const nameOf = (id: string) => deps.providers.list().find(provider => provider.id === id)?.name ?? id;
  const signInUrl = (provider: string) =>
    new URL(`/auth/${encodeURIComponent(provider)}/login`, publicUrl).href;

  return {
    missing(upstream: Upstream, forwarding: boolean): AppError {
      const rule = upstream.credential;
      const providers = deps.providers.list();
      const only = providers.length === 1 ? providers[0]!.id : null;
      const provider = (rule.use === 'sign-in' ? rule.provider : null) ?? only;
      const action = provider === null ? new URL('/auth/login', publicUrl).href : signInUrl(provider);
      if (!forwarding) {
        return new AppError(
          'credential_missing',
          `${upstream.id} needs your own token, and token forwarding is switched off for it here; ask an admin.`,
        );
      }
      const said = `${upstream.id} needs your own token, and there is none: sign in at ${action}.`;
      return new AppError('credential_missing', said, { action });
    },

    reauth(provider: string): AppError {
      const action = signInUrl(provider);
      return new AppError(
        'reauth_required',
        `Your sign-in at ${nameOf(provider)} has ended: sign in again at ${action}.`,
        { action },
      );
    },

    /** @param wait milliseconds until it is worth another try */
    unavailable(provider: string, wait: number): AppError {
      const seconds = Math.max(1, Math.ceil(wait / 1_000));
      const said = `Your token has expired, and ${nameOf(provider)} does not renew it at the moment; try again in ${seconds} s.`;
      return new AppError('unavailable', said, { headers: { 'retry-after': String(seconds) } });
    },

    unreleased: (upstream: Upstream) =>
      new AppError(
        'forbidden',
        `The token for ${upstream.id} is not released to programs; its rule does not say release: true.`,
      ),
  };
}

export type Refusals = ReturnType<typeof createRefusals>;
