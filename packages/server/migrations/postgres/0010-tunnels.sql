-- What a user's tunnels are called by: `{handle}/{name}`. Given once, never to another.
create table handles (
  user_id text primary key not null references users (id) on delete cascade,
  handle text not null unique,
  created_at bigint not null
);

create table tunnels (
  id text primary key not null,
  owner_id text not null references users (id) on delete cascade,
  name text not null,
  alias text unique,
  kind text not null,
  title text,
  shared_everyone bigint not null,
  shared_users text not null,
  shared_groups text not null,
  created_at bigint not null,
  seen_at bigint not null,
  unique (owner_id, name)
);

create table agent_logins (
  device_hash text primary key not null,
  user_code_hash text not null unique,
  name text not null,
  address text,
  state text not null,
  user_id text references users (id) on delete cascade,
  created_at bigint not null,
  expires_at bigint not null,
  polled_at bigint
);
create index agent_logins_expires_at on agent_logins (expires_at);
