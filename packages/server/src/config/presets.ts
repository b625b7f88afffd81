import type { Provider } from '../terms/provider.ts';

export const PRESETS = ['google', 'microsoft', 'github'] as const;
export type Preset = (typeof PRESETS)[number];

/** What we know of a provider by its name; whatever the configuration says beside it wins. */
export type Known = Pick<
  Provider,
  'name' | 'protocol' | 'issuer' | 'scope' | 'authorizationParams' | 'endpoints'
>;

/** @param tenant Entra's directory id; the tenants `common` and `organizations` have no issuer of their own to check against. */
export function presetOf(preset: Preset | undefined, tenant: string | undefined): Partial<Known> {
  switch (preset) {
    case 'google':
      return {
        name: 'Google',
        issuer: 'https://accounts.google.com',
        scope: 'openid profile email',
        // Google knows no offline_access: this is how it gives a refresh token.
        authorizationParams: { access_type: 'offline', prompt: 'consent' },
      };
    case 'microsoft':
      return { name: 'Microsoft', issuer: `https://login.microsoftonline.com/${tenant}/v2.0` };
    case 'github':
      return {
        name: 'GitHub',
        protocol: 'oauth2',
        issuer: 'https://github.com',
        scope: 'read:user user:email',
        endpoints: {
          authorization: 'https://github.com/login/oauth/authorize',
          token: 'https://github.com/login/oauth/access_token',
          userinfo: 'https://api.github.com/user',
        },
      };
    case undefined:
      return {};
  }
}
