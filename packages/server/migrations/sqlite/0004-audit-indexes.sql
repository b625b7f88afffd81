-- What the audit is asked for, each newest first.
create index audit_events_action on audit_events (action, at);
create index audit_events_user_id on audit_events (user_id, at);
create index audit_events_credential_id on audit_events (credential_id, at);
create index audit_events_target on audit_events (target, at);
