/** The wire, as the gateway's `/api/openapi.json` describes it: snake_case, times as ISO 8601 or null. */
export interface List<T> {
  items: T[];
}

/** What the live stream names: which lists to fetch again. */
export type Topic =
  | 'sessions'
  | 'keys'
  | 'grants'
  | 'users'
  | 'upstreams'
  | 'providers'
  | 'tunnels'
  | 'terminals'
  | 'recordings'
  | 'audit'
  | 'health';

export interface Me {
  user: {
    id: string;
    email: string | null;
    name: string | null;
    groups: string[];
    admin: boolean;
    local: boolean;
  };
  proof: string;
  credential_id: string;
  gateway: { name: string; version: string; public_url: string; local_accounts: boolean };
}

export interface SignInOptions {
  providers: { id: string; name: string; login_url: string }[];
  local_accounts: boolean;
  first_start: boolean;
}

export type UpstreamKind = 'openai' | 'mcp' | 'openapi' | 'terminal' | 'http';

export interface HomeUpstream {
  id: string;
  name: string;
  kind: UpstreamKind;
  state: 'ready' | 'connect' | 'failing' | 'denied';
  failing_since: string | null;
  detail: string | null;
  connect_url: string | null;
  base_url: string;
  models: string[];
}

export interface Session {
  id: string;
  created_at: string;
  seen_at: string | null;
  expires_at: string | null;
  address: string | null;
  user_agent: string | null;
  current: boolean;
}

export interface Key {
  id: string;
  name: string | null;
  admin: boolean;
  scope: string[] | null;
  created_at: string;
  expires_at: string | null;
  used_at: string | null;
  revoked_at: string | null;
}

export interface NewKey extends Key {
  /** Shown once. */
  key: string;
}

export interface Grant {
  id: string;
  provider: string;
  provider_name: string;
  scope: string | null;
  expires_at: string | null;
  refreshed_at: string | null;
  refresh_result: string | null;
  state: 'ready' | 'reauth_required';
  reconnect_url: string | null;
}

export interface UserRecord {
  id: string;
  email: string | null;
  name: string | null;
  groups: string[];
  admin: boolean;
  local: boolean;
  created_at: string;
  seen_at: string | null;
  disabled_at: string | null;
}

export interface Invitation {
  id: string;
  email: string;
  name?: string | null;
  admin?: boolean;
  groups?: string[];
  created_at?: string | null;
  expires_at: string;
}

/** Where somebody chooses a password; shown once. */
export interface MintedLink {
  link: string;
  expires_at: string;
}

/** What a link leads to: a new account, or a new password for one. */
export interface OpenedInvitation {
  email: string;
  name: string | null;
  expires_at: string;
  purpose: 'account' | 'password';
}

/** What the signed-in person signs in with, where that is a password. */
export interface OwnPassword {
  may_have: boolean;
  email: string | null;
  changed_at: string | null;
}

type Source = 'file' | 'database';

export interface CredentialView {
  use: string;
  header?: string;
  scheme?: string;
  token?: 'access_token' | 'id_token';
  strict?: boolean;
  provider?: string | null;
  release?: boolean;
  /** Where a fallback key goes. */
  fallback?: { header: string; scheme: string } | null;
  /** Whether a static key, or a fallback key, is stored. */
  has_key: boolean;
}

export interface Access {
  everyone: boolean;
  users: string[];
  groups: string[];
}

/** `*` stands for any run of characters. Without `allow`: all tools. */
export interface ToolRule {
  allow?: string[];
  deny?: string[];
}

export interface ToolRules extends ToolRule {
  /** What holds for members of a group besides. */
  groups?: Record<string, ToolRule>;
}

/** Only of kind terminal; durations as the configuration file has them, such as `10m`. What is left out is as usual. */
export interface TerminalRules {
  attach?: string | undefined;
  policy?: string | undefined;
  reattach?: string | undefined;
  orphanAfter?: string | undefined;
  idle?: string | undefined;
  lifetime?: string | undefined;
  record?: boolean | undefined;
}

export interface UpstreamRecord extends TerminalRules {
  /** Shells on the gateway's own machine: the configuration file's alone. */
  embedded?: true;
  isolate?: 'none' | 'bubblewrap';
  id: string;
  name: string;
  kind: UpstreamKind;
  url: string;
  models: string[];
  credential: CredentialView;
  access: Access;
  /** Only of kind mcp. */
  tools?: ToolRules;
  recordArguments?: boolean;
  source: Source;
  /** Why it cannot be used at present. */
  problem: string | null;
}

/** A key that is left out keeps the one that is stored. */
export type CredentialDraft =
  | { use: 'none' }
  | { use: 'key'; key?: string; header: string; scheme: string }
  | {
      use: 'sign-in';
      token: 'access_token' | 'id_token';
      strict: boolean;
      provider: string | null;
      release: boolean;
      fallback: { key?: string; header?: string; scheme?: string } | null;
    };

export interface UpstreamDraft extends TerminalRules {
  id: string;
  name: string;
  kind: UpstreamKind;
  url: string;
  models: string[];
  credential: CredentialDraft;
  access: Access;
  tools?: ToolRules;
  recordArguments?: boolean;
}

export type TunnelKind = 'mcp' | 'http' | 'stdio' | 'terminal';

export interface Tunnel {
  id: string;
  /** `{user}/{name}`: its id as an upstream. */
  name: string;
  /** A plain name that an admin gave it. */
  alias: string | null;
  kind: TunnelKind;
  title: string | null;
  owner_id: string;
  owner: string | null;
  may_change: boolean;
  /** Null where it is not the caller's to share. */
  shared: Access | null;
  /** Null: all of them, or not the caller's to share. */
  tools: ToolRules | null;
  url: string;
  connected: boolean;
  /** Since when it is connected, or is not. */
  since: string | null;
  agent: string | null;
  address: string | null;
  calls: number;
  under_way: number;
  /** WebSockets: terminals, and those of a web server. */
  open_sockets: number;
  bytes_up: number;
  bytes_down: number;
  latency_ms: number | null;
  last_error: { at: string; said: string } | null;
  created_at: string;
  seen_at: string;
}

export interface TestAnswer {
  ok: boolean;
  status?: number | null;
  took_ms?: number | null;
  said: string;
  hint: string | null;
}

export interface ProviderRecord {
  id: string;
  name: string;
  protocol: 'oidc' | 'oauth2';
  issuer: string;
  client_id: string;
  has_secret: boolean;
  scope: string;
  response_mode: 'query' | 'form_post';
  groups_claim: string;
  /** Who may sign in; null: everyone whom the provider knows. */
  allow: ClaimRule | null;
  /** Who is an admin; null leaves it to the gateway. */
  admins: ClaimRule | null;
  authorization_params: Record<string, string>;
  endpoints: { authorization: string; token: string; userinfo: string } | null;
  source: Source;
  /** Why it cannot be used at present. */
  problem: string | null;
}

/** Holds where the claim's value, or one of its list, is one of these. */
export interface ClaimRule {
  claim: string;
  has: string[];
}

export type Preset = 'google' | 'microsoft' | 'github';

/** A secret that is left out keeps the one that is stored. */
export interface ProviderDraft
  extends Pick<ProviderRecord, 'id' | 'name' | 'client_id' | 'response_mode' | 'allow' | 'admins'>,
    Partial<
      Pick<
        ProviderRecord,
        'protocol' | 'issuer' | 'scope' | 'groups_claim' | 'authorization_params' | 'endpoints'
      >
    > {
  preset?: Preset;
  tenant?: string;
  client_secret?: string;
}

/** What goes along when something is removed: counts, or lists of names. */
export type Consequences = Record<string, number | string[] | null>;

export interface AuditEntry {
  id: string;
  at: string;
  action: string;
  user_id: string | null;
  user_label: string | null;
  credential_id: string | null;
  address: string | null;
  target: string | null;
  detail: Record<string, string | number | boolean | null> | null;
}

export interface AuditPage {
  items: AuditEntry[];
  next: string | null;
}

export interface HealthCheck {
  name: string;
  ok: boolean;
  said: string;
  do: string | null;
}

/** An agent that waits to be let in. */
export interface AgentLogin {
  name: string;
  address: string | null;
  expires_at: string;
}
