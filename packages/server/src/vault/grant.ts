/** `redeeming`: one attempt holds the claim to redeem the refresh token. `reauth_required`: the provider refused it; only the user can mend that. */
export type GrantState = 'idle' | 'redeeming' | 'reauth_required';

/** What one user has given us at one provider, as stored. Times are epoch milliseconds by the database's clock. */
export interface Grant {
  readonly id: string;
  readonly userId: string;
  readonly provider: string;
  readonly subject: string;
  /** Counts refreshes; what every compare-and-swap compares. */
  readonly version: number;
  readonly state: GrantState;
  /** Who holds the claim, and until when. */
  readonly attempt: string | null;
  readonly attemptDeadline: number | null;
  /** The sealed tokens. */
  readonly envelope: string;
  readonly scope: string;
  /** Of the access token. */
  readonly expiresAt: number;
  readonly obtainedAt: number;
  readonly hasRefreshToken: boolean;
  /** Of the provider, in a row. */
  readonly failures: number;
  /** No attempt before this. */
  readonly retryAt: number;
  readonly refreshedAt: number | null;
  /** `refreshed`, `invalid_grant`, or why the last attempt brought nothing. */
  readonly refreshResult: string | null;
  readonly usedAt: number;
  readonly createdAt: number;
  /** When it was read. */
  readonly now: number;
}
