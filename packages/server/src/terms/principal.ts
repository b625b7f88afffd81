/** How a principal proved who they are. */
export type Proof = 'session' | 'key' | 'jwt' | 'proxy-header' | 'anonymous';

/** Who is calling. Frozen; made by `identity`, read by everyone after it. */
export interface Principal {
  /** `usr_…`; `anonymous` for the anonymous principal. */
  readonly userId: string;
  readonly email: string | null;
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly admin: boolean;
  readonly proof: Proof;
  /** Names the credential that was shown, never its value: `ses_…`, `key_…`, `jwt:…` (a hash). What a revocation names. */
  readonly credentialId: string;
  /** The grant a session was born with; null for programs, which use the user's newest grant. */
  readonly grantId: string | null;
  /** Upstream ids this credential is limited to; null means all that the user may use. */
  readonly scope: readonly string[] | null;
}
