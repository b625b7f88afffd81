/** What a provider gave us for one user, as it is sealed (RFC 6749 section 5.1). */
export interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  /** The ID token is of an earlier version: the last refresh brought none. */
  readonly id_token_kept?: true;
}

/** A token response with what is stored in plain beside the tokens. */
export interface TokenResponse {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly scope?: string;
}

/** Where a ciphertext belongs: to one user, one grant, one version of it. The associated data of its seal. */
export const placeOf = (grant: { userId: string; id: string; version: number }): string =>
  `grant\0${grant.userId}\0${grant.id}\0${grant.version}`;

/**
 * A refresh's answer joined with what it does not repeat: RFC 6749 section 6 keeps the refresh token, and OIDC Core section 12.2 lets
 * the ID token out.
 */
export function successorOf(before: Tokens, response: TokenResponse): Tokens {
  const refreshToken = response.refresh_token ?? before.refresh_token;
  const kept = response.id_token === undefined && before.id_token !== undefined;
  const idToken = response.id_token ?? before.id_token;
  return {
    access_token: response.access_token,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(idToken === undefined ? {} : { id_token: idToken }),
    ...(kept ? { id_token_kept: true } : {}),
  };
}

/** The tokens of a first answer. */
export const tokensOf = ({ access_token, refresh_token, id_token }: TokenResponse): Tokens => ({
  access_token,
  ...(refresh_token === undefined ? {} : { refresh_token }),
  ...(id_token === undefined ? {} : { id_token }),
});
