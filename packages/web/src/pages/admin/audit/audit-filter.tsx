import type { FormEvent } from 'react';
import { Button } from '../../../design/button.tsx';
import { TextField } from '../../../design/field.tsx';
import './audit.css';

export interface Filter {
  action: string;
  user: string;
  credential: string;
  target: string;
  from: string;
  to: string;
}

export const NO_FILTER: Filter = { action: '', user: '', credential: '', target: '', from: '', to: '' };

/** The filter as the API takes it; local times become UTC, what is empty or no time is left out. */
export function filterQuery(filter: Filter): string {
  const query = new URLSearchParams();
  for (const name of ['action', 'user', 'credential', 'target'] as const) {
    if (filter[name] !== '') query.set(name, filter[name]);
  }
  for (const name of ['from', 'to'] as const) {
    const time = Date.parse(filter[name]);
    if (!Number.isNaN(time)) query.set(name, new Date(time).toISOString());
  }
  return query.toString();
}

/** A time as `datetime-local` wants it: local, to the minute. */
function localTime(text: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time)) return '';
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function AuditFilter({ filter, onApply }: { filter: Filter; onApply: (filter: Filter) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: keyof Filter) => String(form.get(name) ?? '').trim();
    onApply({
      action: text('action'),
      user: text('user'),
      credential: text('credential'),
      target: text('target'),
      from: text('from'),
      to: text('to'),
    });
  };
  return (
    <search>
      {/* A new key fills the fields anew when the filter is cleared from outside. */}
      <form className="audit-filter" onSubmit={submit} key={JSON.stringify(filter)}>
        <TextField
          label="Action"
          name="action"
          defaultValue={filter.action}
          placeholder="key.create or key.*"
          list="audit-actions"
        />
        <datalist id="audit-actions">
          {ACTIONS.map(action => (
            <option key={action} value={action} />
          ))}
        </datalist>
        <TextField label="User" name="user" defaultValue={filter.user} placeholder="usr_… or email" />
        <TextField
          label="Credential"
          name="credential"
          defaultValue={filter.credential}
          placeholder="key_… or ses_…"
        />
        <TextField label="Target" name="target" defaultValue={filter.target} placeholder="corp-llm" />
        <TextField label="From" name="from" type="datetime-local" defaultValue={localTime(filter.from)} />
        <TextField label="To" name="to" type="datetime-local" defaultValue={localTime(filter.to)} />
        <div className="audit-filter-acts">
          <Button type="submit" look="solid">
            Filter
          </Button>
          <Button onClick={() => onApply(NO_FILTER)}>Clear</Button>
        </div>
      </form>
    </search>
  );
}

/** As the gateway names them (`AUDIT_ACTIONS`, which a test there compares with these), and their beginnings. */
const ACTIONS = [
  'admin-link.create',
  'credential.use',
  'grant.*',
  'grant.end',
  'grant.reauth-required',
  'grant.refresh',
  'grant.store',
  'invitation.*',
  'invitation.accept',
  'invitation.create',
  'invitation.revoke',
  'key.*',
  'key.create',
  'key.revoke',
  'logout.refused',
  'password-link.create',
  'password.set',
  'provider.*',
  'provider.create',
  'provider.remove',
  'provider.test',
  'provider.update',
  'recording.*',
  'recording.begin',
  'recording.read',
  'recording.remove',
  'secrets.rotate',
  'session.*',
  'session.begin',
  'session.end',
  'sign-in.refused',
  'terminal.*',
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
  'upstream.*',
  'upstream.create',
  'upstream.remove',
  'upstream.test',
  'upstream.update',
  'user.*',
  'user.create',
  'user.disable',
  'user.enable',
  'user.make-admin',
  'user.remove',
  'user.set-groups',
  'user.unmake-admin',
];
