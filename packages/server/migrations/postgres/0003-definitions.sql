create table definitions (
  what text not null,
  id text not null,
  definition text not null,
  envelope text,
  kid text,
  version bigint not null,
  created_at bigint not null,
  changed_at bigint not null,
  primary key (what, id)
);

create table definition_revisions (
  what text primary key not null,
  revision bigint not null
);
insert into definition_revisions (what, revision) values ('provider', 0), ('upstream', 0);
