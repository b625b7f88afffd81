import { type FormEvent, useRef, useState } from 'react';
import { api } from '../../../api/client.ts';
import type { ProviderDraft, ProviderRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { SelectField, TextField } from '../../../design/field.tsx';
import { Failure } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { useMe } from '../../../session/me.tsx';
import { TestLine } from '../test-line.tsx';

/** Adds a provider, or changes one. */
export function ProviderDialog({
  provider,
  onClose,
}: {
  provider: ProviderRecord | null;
  onClose: () => void;
}) {
  const me = useMe();
  const act = useAct();
  const form = useRef<HTMLFormElement>(null);
  const [id, setId] = useState(provider?.id ?? '');
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const draft = draftOf(event.currentTarget);
    const saved = await act.run(
      () =>
        provider === null
          ? api.post('/api/v1/providers', draft)
          : api.put(`/api/v1/providers/${encodeURIComponent(provider.id)}`, draft),
      `${draft.name} is saved.`,
    );
    if (saved) onClose();
  };
  const callback = `${me.gateway.public_url.replace(/\/$/, '')}/auth/${id === '' ? '…' : id}/callback`;
  return (
    <Dialog title={provider === null ? 'Add a provider' : `Edit ${provider.name}`} onClose={onClose} wide>
      <form ref={form} onSubmit={event => void submit(event)}>
        <div className="pair">
          <TextField
            label="Name"
            name="name"
            required
            maxLength={100}
            defaultValue={provider?.name}
            placeholder="Corp SSO"
            help="What people see on the sign-in page."
          />
          <TextField
            label="Id"
            name="id"
            required
            pattern="[a-z0-9][a-z0-9\-]*"
            value={id}
            readOnly={provider !== null}
            onChange={event => setId(event.target.value)}
            placeholder="corp"
            help="Small letters, digits and dashes; it cannot change later."
          />
        </div>
        <SelectField label="Protocol" name="protocol" defaultValue={provider?.protocol ?? 'oidc'}>
          <option value="oidc">OpenID Connect (found by discovery)</option>
          {provider?.protocol === 'oauth2' && <option value="oauth2">OAuth 2 without ID tokens</option>}
        </SelectField>
        <TextField
          label="Issuer"
          name="issuer"
          type="url"
          required
          defaultValue={provider?.issuer}
          placeholder="https://login.corp.example"
          help="Exactly as the provider writes it."
        />
        <div className="pair">
          <TextField label="Client id" name="client_id" required defaultValue={provider?.client_id} />
          <TextField
            label="Client secret"
            name="client_secret"
            type="password"
            autoComplete="new-password"
            help={
              provider?.has_secret === true
                ? 'Stored. Leave empty to keep it.'
                : 'Stored sealed. Leave empty for a public client.'
            }
          />
        </div>
        <TextField
          label="Scope"
          name="scope"
          required
          defaultValue={provider?.scope ?? 'openid profile email offline_access'}
          help="offline_access is what lets the gateway keep tokens fresh."
        />
        <SelectField
          label="How the provider answers"
          name="response_mode"
          defaultValue={provider?.response_mode ?? 'query'}
          help="Choose the form when answers are too long for an address."
        >
          <option value="query">In the address (query)</option>
          <option value="form_post">By a form (form_post)</option>
        </SelectField>
        <p className="small">
          Register this redirect address at the provider: <code>{callback}</code>
        </p>
        <TestLine
          path="/api/v1/providers/test"
          body={() => ({ draft: draftOf(form.current!) })}
          of="this provider"
        />
        {act.error !== null && <Failure error={act.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="solid" busy={act.busy}>
            {provider === null ? 'Add the provider' : 'Save'}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function draftOf(form: HTMLFormElement): ProviderDraft {
  const data = new FormData(form);
  const text = (name: string) => String(data.get(name) ?? '').trim();
  const secret = text('client_secret');
  return {
    id: text('id'),
    name: text('name'),
    protocol: text('protocol') === 'oauth2' ? 'oauth2' : 'oidc',
    issuer: text('issuer'),
    client_id: text('client_id'),
    ...(secret === '' ? {} : { client_secret: secret }),
    scope: text('scope'),
    response_mode: text('response_mode') === 'form_post' ? 'form_post' : 'query',
  };
}
