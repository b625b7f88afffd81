import { Fragment, useState } from 'react';
import type { CredentialView, List, ProviderRecord, UpstreamKind } from '../../../api/types.ts';
import { Choice, Group, SelectField, TextField } from '../../../design/field.tsx';
import { useResource } from '../../../live/resource.ts';
import { CREDENTIAL_RULES } from './credential-words.ts';

/** How the upstream's credential is made: the rules, each with its sentence, and what the chosen one needs. */
export function CredentialFields({
  credential,
  kind,
}: {
  credential: CredentialView | null;
  kind: UpstreamKind;
}) {
  const [use, setUse] = useState(credential?.use ?? 'sign-in');
  return (
    <Group legend="What the upstream receives">
      {CREDENTIAL_RULES.map(rule => (
        <Fragment key={rule.use}>
          <Choice
            type="radio"
            name="use"
            value={rule.use}
            label={rule.name}
            help={rule.sentence}
            checked={use === rule.use}
            onChange={() => setUse(rule.use)}
          />
          {use === rule.use && rule.use !== 'none' && (
            <div className="under">
              {rule.use === 'key' ? (
                <KeyFields credential={credential} />
              ) : (
                <SignInFields credential={credential} kind={kind} />
              )}
            </div>
          )}
        </Fragment>
      ))}
    </Group>
  );
}

function KeyFields({ credential }: { credential: CredentialView | null }) {
  const stored = credential?.use === 'key' && credential.has_key;
  return (
    <>
      <KeyField stored={stored} label="Key" />
      <div className="pair">
        <TextField
          label="Header"
          name="header"
          defaultValue={credential?.header ?? 'authorization'}
          help="Where the key goes."
        />
        <TextField
          label="Before the key"
          name="scheme"
          defaultValue={credential?.scheme ?? 'Bearer'}
          help="Leave it empty to send the bare key."
        />
      </div>
    </>
  );
}

function KeyField({ stored, label }: { stored: boolean; label: string }) {
  return (
    <TextField
      label={label}
      name="key"
      type="password"
      autoComplete="new-password"
      required={!stored}
      help={
        stored
          ? 'Stored. Leave empty to keep it, while the server stays the same.'
          : 'Stored sealed; it is never shown again.'
      }
    />
  );
}

function SignInFields({ credential, kind }: { credential: CredentialView | null; kind: UpstreamKind }) {
  const providers = useResource<List<ProviderRecord>>('/api/v1/providers', ['providers']);
  const before = credential?.use === 'sign-in' ? credential : null;
  const stored = before?.has_key ?? false;
  const [fallback, setFallback] = useState(stored);
  return (
    <>
      <div className="pair">
        <SelectField
          label="Token"
          name="token"
          key={kind}
          defaultValue={before?.token ?? (kind === 'openapi' ? 'id_token' : 'access_token')}
        >
          <option value="access_token">Access token</option>
          <option value="id_token">ID token</option>
        </SelectField>
        <SelectField
          label="From"
          name="provider"
          key={providers.data === null ? 'loading' : 'loaded'}
          defaultValue={before?.provider ?? ''}
        >
          <option value="">whichever they signed in with</option>
          {providers.data?.items.map(provider => (
            <option key={provider.id} value={provider.id}>
              {provider.name}
            </option>
          ))}
        </SelectField>
      </div>
      <Choice
        name="strict"
        label="Only this token"
        defaultChecked={before?.strict}
        help="Otherwise the other of the two stands in where this one is missing."
      />
      <Choice
        name="release"
        label="Release it to the person's own programs"
        defaultChecked={before?.release}
        help="Lets a program with the person's gateway key fetch the token itself, to act as them."
      />
      <Choice
        name="fallback"
        label="Use a static key for people without a token"
        checked={fallback}
        onChange={event => setFallback(event.target.checked)}
        help="Otherwise they are asked to connect first."
      />
      {fallback && <KeyField stored={stored} label="Static key" />}
    </>
  );
}
