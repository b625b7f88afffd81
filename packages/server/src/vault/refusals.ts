import { AppError } from '../platform/errors.ts';
import type { Upstream } from '../terms/upstream.ts';

/** What the vault says when it has no credential: why, and where a person mends it. */
export function createRefusals(publicUrl: URL) {
  const signInUrl = (provider: string) =>
    new URL(`/auth/${encodeURIComponent(provider)}/login`, publicUrl).href;

  return {
    missing(upstream: Upstream, forwarding: boolean): AppError {
      const rule = upstream.credential;
      const provider = rule.use === 'sign-in' ? rule.provider : null;
      const action = provider === null ? new URL('/auth/login', publicUrl).href : signInUrl(provider);
      const said = forwarding
        ? `${upstream.id} needs your own token, and there is none: sign in at ${action}.`
        : `${upstream.id} needs your own token, and token forwarding is switched off here; ask an admin.`;
      return new AppError('credential_missing', said, { action });
    },

    reauth(provider: string): AppError {
      const action = signInUrl(provider);
      return new AppError(
        'reauth_required',
        `Your sign-in at ${provider} has ended: sign in again at ${action}.`,
        { action },
      );
    },

    /** @param wait milliseconds until it is worth another try */
    unavailable(provider: string, wait: number): AppError {
      const seconds = Math.max(1, Math.ceil(wait / 1_000));
      const said = `Your token has expired, and ${provider} does not renew it at the moment; try again in ${seconds} s.`;
      return new AppError('unavailable', said, { headers: { 'retry-after': String(seconds) } });
    },

    unreleased: (upstream: Upstream) =>
      new AppError(
        'forbidden',
        `The token for ${upstream.id} is not released to programs; its rule does not say release: true.`,
      ),
  };
}
