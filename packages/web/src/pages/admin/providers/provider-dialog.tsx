import { type FormEvent, useRef, useState } from 'react';
import { api } from '../../../api/client.ts';
import type { ProviderRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { SelectField, TextField } from '../../../design/field.tsx';
import { Failure } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { useMe } from '../../../session/me.tsx';
import { TestLine } from '../test-line.tsx';
import { ClaimFields } from './claim-fields.tsx';
import { draftOf, type ProviderKind } from './provider-draft.ts';

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
  const [kind, setKind] = useState<ProviderKind>('oidc');
  const known = provider === null && kind !== 'oidc';
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const draft = draftOf(new FormData(event.currentTarget), provider);
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
        {provider === null ? (
          <ServerFields kind={kind} onKind={setKind} />
        ) : (
          <TextField
            label="Issuer"
            name="issuer"
            readOnly
            value={provider.issuer}
            help="It cannot change: people's accounts and tokens hang on it."
          />
        )}
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
          key={known ? 'known' : 'any'}
          required={!known}
          defaultValue={provider?.scope ?? (known ? '' : 'openid profile email offline_access')}
          placeholder={known ? 'what is usual there' : undefined}
          help={known ? undefined : 'offline_access is what lets the gateway keep tokens fresh.'}
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
        <TextField
          label="Where groups stand"
          name="groups_claim"
          required
          defaultValue={provider?.groups_claim ?? 'groups'}
          help="The claim that lists a person's groups; access to upstreams can be given by them."
        />
        <ClaimFields
          legend="Who may sign in"
          name="allow"
          rule={provider?.allow ?? null}
          forAll="Everyone whom the provider knows"
          byClaim="Only people of whom it says"
          placeholder="engineering"
        />
        <ClaimFields
          legend="Who is an admin"
          name="admins"
          rule={provider?.admins ?? null}
          forAll="Whom an admin makes one, on the users page"
          byClaim="People of whom it says"
          placeholder="ai-admins"
        />
        <p className="small">
          Register this redirect address at the provider: <code>{callback}</code>
        </p>
        <TestLine
          path="/api/v1/providers/test"
          body={() => ({ draft: draftOf(new FormData(form.current!), provider) })}
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

function ServerFields({ kind, onKind }: { kind: ProviderKind; onKind: (kind: ProviderKind) => void }) {
  return (
    <>
      <SelectField
        label="Provider"
        name="kind"
        value={kind}
        onChange={event => onKind(event.target.value as ProviderKind)}
        help={
          kind === 'google' || kind === 'github'
            ? 'Everybody in the world can have an account there: say below who may sign in.'
            : undefined
        }
      >
        <option value="oidc">Any OpenID Connect server, by its issuer</option>
        <option value="microsoft">Microsoft Entra</option>
        <option value="google">Google</option>
        <option value="github">GitHub</option>
      </SelectField>
      {kind === 'oidc' && (
        <TextField
          label="Issuer"
          name="issuer"
          type="url"
          required
          placeholder="https://login.corp.example"
          help="Exactly as the provider writes it."
        />
      )}
      {kind === 'microsoft' && (
        <TextField label="Directory (tenant) id" name="tenant" required placeholder="00000000-0000-…" />
      )}
    </>
  );
}
