import type { Secret } from '../platform/secret.ts';

/** True when a claim's value equals, or its list contains, one of `has`. */
export interface ClaimRule {
  readonly claim: string;
  readonly has: readonly string[];
}

/** An OAuth 2 or OpenID Connect authorization server where people sign in. */
export interface Provider {
  readonly id: string;
  readonly name: string;
  /** `oidc`: found by discovery. `oauth2`: no ID token (GitHub); endpoints are given and the person is read from `userinfo`. */
  readonly protocol: 'oidc' | 'oauth2';
  /** Issuer identifier, exactly as the provider writes it. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret | null;
  readonly scope: string;
  readonly responseMode: 'query' | 'form_post';
  /** Extra parameters of the authorization request (`audience`, `prompt`, `access_type`). */
  readonly authorizationParams: Readonly<Record<string, string>>;
  /** Only for `oauth2`. */
  readonly endpoints: {
    readonly authorization: string;
    readonly token: string;
    readonly userinfo: string;
  } | null;
  /** Claim that lists the person's groups. */
  readonly groupsClaim: string;
  /** Who is an admin; null leaves it to the gateway. */
  readonly admins: ClaimRule | null;
  /** Who may sign in; null means everyone whom the provider knows. */
  readonly allow: ClaimRule | null;
}
