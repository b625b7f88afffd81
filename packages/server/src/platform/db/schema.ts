/** The tables as both dialects hold them; `docs/storage.md` says of each field whether it is hashed, sealed or plain. */
export interface Tables {
  users: UsersTable;
  identities: IdentitiesTable;
  sessions: SessionsTable;
  sign_ins: SignInsTable;
  admin_links: AdminLinksTable;
  local_accounts: LocalAccountsTable;
  invitations: InvitationsTable;
  grants: GrantsTable;
  keys: KeysTable;
  audit_events: AuditEventsTable;
  definitions: DefinitionsTable;
  definition_revisions: DefinitionRevisionsTable;
  handles: HandlesTable;
  tunnels: TunnelsTable;
  agent_logins: AgentLoginsTable;
  terminals: TerminalsTable;
  recordings: RecordingsTable;
  recording_pieces: RecordingPiecesTable;
}

interface UsersTable {
  id: string;
  email: string | null;
  name: string | null;
  /** JSON list of strings. */
  groups: string;
  /** 1 when the provider's `admins` rule said so at the last sign-in. */
  claimed_admin: number;
  /** 1 when made an admin here (first link, command line). */
  local_admin: number;
  created_at: number;
  seen_at: number | null;
  disabled_at: number | null;
}

interface IdentitiesTable {
  issuer: string;
  subject: string;
  user_id: string;
  created_at: number;
}

interface SessionsTable {
  id: string;
  /** SHA-256 of the cookie. */
  hash: string;
  user_id: string;
  grant_id: string | null;
  provider: string | null;
  /** The provider's own session id (`sid`), for back-channel logout. */
  provider_sid: string | null;
  /** The provider's subject, for a logout token that names no session. */
  subject: string | null;
  address: string | null;
  user_agent: string | null;
  created_at: number;
  seen_at: number;
  expires_at: number;
}

interface SignInsTable {
  /** SHA-256 of `state`. */
  state_hash: string;
  provider: string;
  /** SHA-256 of the browser's login cookie. */
  browser_hash: string;
  /** Sealed JSON: nonce, code_verifier, return_to. */
  envelope: string;
  /** SHA-256 of the one-time id under which a form_post answer waits for its browser. */
  answer_hash: string | null;
  /** Sealed JSON: that answer's parameters. */
  answer: string | null;
  created_at: number;
  expires_at: number;
  used_at: number | null;
}

interface AdminLinksTable {
  hash: string;
  created_at: number;
  expires_at: number;
  used_at: number | null;
}

interface LocalAccountsTable {
  user_id: string;
  /** Lower case: what the person signs in with. */
  email: string;
  /** argon2id in PHC string form. */
  password_hash: string;
  changed_at: number;
}

interface InvitationsTable {
  id: string;
  /** SHA-256 of the link's secret. */
  hash: string;
  /** Whose password the link sets anew; null where it makes an account. */
  user_id: string | null;
  email: string;
  name: string | null;
  /** JSON list of strings. */
  groups: string;
  admin: number;
  /** Null: from the command line. */
  invited_by: string | null;
  created_at: number;
  expires_at: number;
}

interface GrantsTable {
  id: string;
  user_id: string;
  provider: string;
  subject: string;
  /** `sign-in`; later `connection`. */
  kind: string;
  version: number;
  /** `idle`, `redeeming`, `reauth_required`. */
  state: string;
  attempt: string | null;
  attempt_deadline: number | null;
  /** Sealed JSON: the tokens. */
  envelope: string;
  /** Which key of the ring sealed it. */
  kid: string;
  scope: string;
  /** Of the access token. */
  expires_at: number;
  obtained_at: number;
  has_refresh_token: number;
  failures: number;
  /** No attempt before this. */
  retry_at: number;
  refreshed_at: number | null;
  refresh_result: string | null;
  used_at: number;
  created_at: number;
}

interface KeysTable {
  id: string;
  hash: string;
  user_id: string;
  name: string;
  admin: number;
  /** JSON list of upstream ids; null for all. */
  scope: string | null;
  created_at: number;
  expires_at: number | null;
  used_at: number | null;
  revoked_at: number | null;
}

interface AuditEventsTable {
  id: string;
  at: number;
  action: string;
  user_id: string | null;
  credential_id: string | null;
  address: string | null;
  /** What was acted upon. */
  target: string | null;
  /** JSON object. */
  detail: string;
}

interface DefinitionsTable {
  /** `upstream` or `provider`. */
  what: string;
  id: string;
  /** JSON object, without the secret. */
  definition: string;
  /** The secret, sealed; null where it has none. */
  envelope: string | null;
  kid: string | null;
  /** The revision that wrote it; never given twice. */
  version: number;
  created_at: number;
  changed_at: number;
}

interface DefinitionRevisionsTable {
  what: string;
  /** Counts changes, removals too. */
  revision: number;
}

interface HandlesTable {
  user_id: string;
  /** The first half of the names of the user's tunnels. */
  handle: string;
  created_at: number;
}

interface TunnelsTable {
  id: string;
  owner_id: string;
  name: string;
  /** A plain name that an admin gave it. */
  alias: string | null;
  /** As its agent said last: `mcp`, `http`, `stdio`, `terminal`. */
  kind: string;
  title: string | null;
  shared_everyone: number;
  /** JSON lists of user ids or addresses, and of groups. */
  shared_users: string;
  shared_groups: string;
  /** JSON; null: no rules. */
  tools: string | null;
  created_at: number;
  /** When an agent came with it last. */
  seen_at: number;
}

interface AgentLoginsTable {
  /** SHA-256 of what the agent polls with. */
  device_hash: string;
  /** SHA-256 of what the person types. */
  user_code_hash: string;
  /** What the key is to be called. */
  name: string;
  address: string | null;
  /** `waiting`, `approved`, `denied`. */
  state: string;
  /** Who answered it. */
  user_id: string | null;
  created_at: number;
  expires_at: number;
  polled_at: number | null;
}

interface TerminalsTable {
  upstream_id: string;
  /** As the terminal server calls it. */
  terminal_id: string;
  /** Who made it. */
  user_id: string;
  /** `X-Session-Id` and `X-Terminal-Context-Id` of the call that made it. */
  session_id: string | null;
  context_id: string | null;
  created_at: number;
  /** When somebody was attached to it last, or it was made. */
  seen_at: number;
}

interface RecordingsTable {
  id: string;
  upstream_id: string;
  terminal_id: string;
  user_id: string;
  /** The screen's first size. */
  cols: number;
  rows: number;
  /** Of output, so far. */
  bytes: number;
  started_at: number;
  /** Null while it goes on, or where the gateway was killed in it. */
  ended_at: number | null;
}

interface RecordingPiecesTable {
  /** The recording's id and the piece's number, in the order of the pieces. */
  id: string;
  recording_id: string;
  /** What was printed and when, compressed and sealed; of older versions lines of asciicast v2 (`terminals/recording-form.ts`). */
  envelope: string;
  kid: string;
}
