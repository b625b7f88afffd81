create table local_accounts (
  user_id text primary key not null references users (id) on delete cascade,
  email text not null unique,
  password_hash text not null,
  changed_at bigint not null
);

create table invitations (
  id text primary key,
  hash text not null unique,
  user_id text references users (id) on delete cascade,
  email text not null,
  name text,
  groups text not null,
  admin bigint not null,
  invited_by text references users (id) on delete cascade,
  created_at bigint not null,
  expires_at bigint not null
);
create index invitations_user_id on invitations (user_id);
create index invitations_invited_by on invitations (invited_by);
