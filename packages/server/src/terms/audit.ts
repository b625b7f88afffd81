import type { Principal } from './principal.ts';

/** Every act that is remembered. Names are part of the API: they are never renamed. docs/observability.md says of each what it holds. */
export const AUDIT_ACTIONS = [
  'admin-link.create',
  'credential.use',
  'grant.end',
  'grant.reauth-required',
  'grant.refresh',
  'grant.store',
  'invitation.accept',
  'invitation.create',
  'invitation.revoke',
  'key.create',
  'key.revoke',
  'logout.refused',
  'password-link.create',
  'password.set',
  'provider.create',
  'provider.remove',
  'provider.test',
  'provider.update',
  'recording.begin',
  'recording.read',
  'recording.remove',
  'secrets.rotate',
  'session.begin',
  'session.end',
  'sign-in.refused',
  'terminal.close',
  'terminal.open',
  'terminal.remove',
  'token.release',
  'tool.call',
  'tunnel.close',
  'tunnel.open',
  'tunnel.refused',
  'tunnel.remove',
  'tunnel.share',
  'upstream.create',
  'upstream.remove',
  'upstream.test',
  'upstream.update',
  'user.create',
  'user.disable',
  'user.enable',
  'user.make-admin',
  'user.remove',
  'user.set-groups',
  'user.unmake-admin',
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Who does something, by which credential, and where from. All is said, if only that there is none. */
export interface Actor {
  /** Null: nobody we know, or somebody at the command line. Of what the gateway does by itself, whom it does it for. */
  readonly userId: string | null;
  /** Names the credential that was shown, never its value: `ses_…`, `key_…`, `command-line`. */
  readonly credentialId: string | null;
  readonly address: string | null;
}

/** One act worth remembering. Holds ids and names, never a token, key or cookie value. */
export interface AuditEvent extends Actor {
  readonly action: AuditAction;
  /** What was acted upon: an upstream, key, user, session or grant id. */
  readonly target?: string | null;
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** The one way to the audit; returns at once, the row follows. */
export interface Audit {
  record(event: AuditEvent): void;
}

/** Whoever may start the gateway may run its commands: nothing else is asked of them. */
export const commandLine: Actor = { userId: null, credentialId: 'command-line', address: null };

/** The caller of a request whose route asks for one. */
export const actorOf = (request: { readonly principal: Principal; readonly ip: string }): Actor => ({
  userId: request.principal.userId,
  credentialId: request.principal.credentialId,
  address: request.ip,
});

/** What the gateway does by itself, in a user's matters. */
export const gatewayFor = (userId: string): Actor => ({ userId, credentialId: null, address: null });
