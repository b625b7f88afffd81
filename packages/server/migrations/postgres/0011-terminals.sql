-- Which terminal is whose: made through this gateway, and not known to be over.
create table terminals (
  upstream_id text not null,
  terminal_id text not null,
  user_id text not null,
  session_id text,
  context_id text,
  created_at bigint not null,
  seen_at bigint not null,
  primary key (upstream_id, terminal_id)
);
create index terminals_seen_at on terminals (seen_at);
