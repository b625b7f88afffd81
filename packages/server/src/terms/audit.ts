/** One act worth remembering. Holds ids and names, never a token, key or cookie value. */
export interface AuditEvent {
  /** `session.begin`, `session.end`, `sign-in.refused`, `key.create`, `key.revoke`, `grant.store`, `grant.refresh`, `grant.end`, `token.release`, `user.disable`, … */
  readonly action: string;
  readonly userId: string | null;
  /** Which credential was shown: `ses_…`, `key_…`. */
  readonly credentialId?: string | null;
  /** Where from. */
  readonly address?: string | null;
  /** What was acted upon: an upstream, key, user or grant id. */
  readonly target?: string | null;
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** The one way to the audit; returns at once, the row follows. */
export interface Audit {
  record(event: AuditEvent): void;
}
