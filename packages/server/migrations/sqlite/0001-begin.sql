create table users (
  id text primary key,
  email text,
  name text,
  groups text not null,
  claimed_admin integer not null,
  local_admin integer not null,
  created_at integer not null,
  seen_at integer,
  disabled_at integer
);
create index users_email on users (email);

create table identities (
  issuer text not null,
  subject text not null,
  user_id text not null references users (id) on delete cascade,
  created_at integer not null,
  primary key (issuer, subject)
);
create index identities_user_id on identities (user_id);

create table grants (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  provider text not null,
  subject text not null,
  kind text not null,
  version integer not null,
  state text not null,
  attempt text,
  attempt_deadline integer,
  envelope text not null,
  kid text not null,
  scope text not null,
  expires_at integer not null,
  obtained_at integer not null,
  has_refresh_token integer not null,
  failures integer not null,
  retry_at integer not null,
  refreshed_at integer,
  refresh_result text,
  used_at integer not null,
  created_at integer not null
);
create index grants_user_id on grants (user_id, kind, provider);
create index grants_expires_at on grants (state, expires_at);
create index grants_kid on grants (kid);

create table sessions (
  id text primary key,
  hash text not null unique,
  user_id text not null references users (id) on delete cascade,
  grant_id text references grants (id) on delete set null,
  provider text,
  provider_sid text,
  subject text,
  address text,
  user_agent text,
  created_at integer not null,
  seen_at integer not null,
  expires_at integer not null
);
create index sessions_user_id on sessions (user_id);
create index sessions_grant_id on sessions (grant_id);
create index sessions_provider on sessions (provider, provider_sid);

create table sign_ins (
  state_hash text primary key,
  provider text not null,
  browser_hash text not null,
  envelope text not null,
  answer_hash text unique,
  answer text,
  created_at integer not null,
  expires_at integer not null,
  used_at integer
);
create index sign_ins_expires_at on sign_ins (expires_at);

create table admin_links (
  hash text primary key,
  created_at integer not null,
  expires_at integer not null,
  used_at integer
);

create table keys (
  id text primary key,
  hash text not null unique,
  user_id text not null references users (id) on delete cascade,
  name text not null,
  admin integer not null,
  scope text,
  created_at integer not null,
  expires_at integer,
  used_at integer,
  revoked_at integer
);
create index keys_user_id on keys (user_id);

create table audit_events (
  id text primary key,
  at integer not null,
  action text not null,
  user_id text,
  credential_id text,
  address text,
  target text,
  detail text not null
);
create index audit_events_at on audit_events (at);
