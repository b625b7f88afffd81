-- What was printed in terminals whose upstream records: sealed, in pieces.
create table recordings (
  id text primary key not null,
  upstream_id text not null,
  terminal_id text not null,
  user_id text not null,
  cols bigint not null,
  rows bigint not null,
  bytes bigint not null,
  started_at bigint not null,
  ended_at bigint
);
create index recordings_user_id on recordings (user_id);
create index recordings_started_at on recordings (started_at);

create table recording_pieces (
  id text primary key not null,
  recording_id text not null references recordings (id) on delete cascade,
  envelope text not null,
  kid text not null
);
create index recording_pieces_recording_id on recording_pieces (recording_id);
create index recording_pieces_kid on recording_pieces (kid);
