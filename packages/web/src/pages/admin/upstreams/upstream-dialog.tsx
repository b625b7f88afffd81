import { type FormEvent, useRef, useState } from 'react';
import { api } from '../../../api/client.ts';
import type { UpstreamKind, UpstreamRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { Choice, Group, SelectField, TextField } from '../../../design/field.tsx';
import { Failure } from '../../../design/state.tsx';
import { KIND_NAMES } from '../../../design/words.ts';
import { useAct } from '../../../live/act.ts';
import { TestLine } from '../test-line.tsx';
import { CredentialFields } from './credential-fields.tsx';
import { TerminalFields } from './terminal-fields.tsx';
import { ToolFields } from './tool-rule-fields.tsx';
import { draftOf } from './upstream-draft.ts';

/** Adds an upstream, or changes one. */
export function UpstreamDialog({
  upstream,
  onClose,
}: {
  upstream: UpstreamRecord | null;
  onClose: () => void;
}) {
  const act = useAct();
  const form = useRef<HTMLFormElement>(null);
  const [kind, setKind] = useState<UpstreamKind>(upstream?.kind ?? 'openai');
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const draft = draftOf(new FormData(event.currentTarget), upstream);
    const saved = await act.run(
      () =>
        upstream === null
          ? api.post('/api/v1/upstreams', draft)
          : api.put(`/api/v1/upstreams/${encodeURIComponent(upstream.id)}`, draft),
      `${draft.name} is saved.`,
    );
    if (saved) onClose();
  };
  const testBody = () => ({
    draft: draftOf(new FormData(form.current!), upstream),
    ...(upstream === null ? {} : { id: upstream.id }),
  });
  return (
    <Dialog title={upstream === null ? 'Add an upstream' : `Edit ${upstream.name}`} onClose={onClose} wide>
      <form ref={form} onSubmit={event => void submit(event)}>
        <div className="pair">
          <TextField
            label="Name"
            name="name"
            required
            maxLength={100}
            defaultValue={upstream?.name}
            placeholder="Corp models"
          />
          <TextField
            label="Id"
            name="id"
            required
            pattern="[a-z0-9][a-z0-9\-]*"
            defaultValue={upstream?.id}
            readOnly={upstream !== null}
            placeholder="corp-llm"
            help="Small letters, digits and dashes; it stands in addresses and cannot change later."
          />
        </div>
        <div className="pair">
          <SelectField
            label="Kind"
            name="kind"
            value={kind}
            onChange={event => setKind(event.target.value as UpstreamKind)}
          >
            {Object.entries(KIND_NAMES).map(([each, named]) => (
              <option key={each} value={each}>
                {named} ({each})
              </option>
            ))}
          </SelectField>
          <TextField
            label="URL"
            name="url"
            type="url"
            required
            defaultValue={upstream?.url}
            placeholder={kind === 'openai' ? 'https://llm.corp.example/v1' : 'https://server.corp.example'}
          />
        </div>
        {kind === 'openai' && (
          <TextField
            label="Models"
            name="models"
            required
            defaultValue={upstream?.models.join(', ')}
            placeholder="corp-*, gpt-*"
            help="Names or patterns, separated by commas. A call that names one of them goes to this upstream."
          />
        )}
        {kind === 'mcp' && <ToolFields upstream={upstream} />}
        {kind === 'terminal' && <TerminalFields upstream={upstream} />}
        <CredentialFields credential={upstream?.credential ?? null} kind={kind} />
        <AccessFields upstream={upstream} />
        <TestLine path="/api/v1/upstreams/test" body={testBody} of="this upstream" />
        {act.error !== null && <Failure error={act.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="solid" busy={act.busy}>
            {upstream === null ? 'Add the upstream' : 'Save'}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function AccessFields({ upstream }: { upstream: UpstreamRecord | null }) {
  const access = upstream?.access ?? { everyone: false, users: [], groups: [] };
  const before = access.everyone
    ? 'everyone'
    : access.users.length + access.groups.length > 0
      ? 'some'
      : 'admins';
  const [who, setWho] = useState(before);
  return (
    <Group legend="Who may use it">
      <Choice
        type="radio"
        name="access"
        value="everyone"
        label="Everyone who signed in"
        checked={who === 'everyone'}
        onChange={() => setWho('everyone')}
      />
      <Choice
        type="radio"
        name="access"
        value="some"
        label="Some groups or people"
        checked={who === 'some'}
        onChange={() => setWho('some')}
      />
      {who === 'some' && (
        <div className="pair under">
          <TextField
            label="Groups"
            name="groups"
            defaultValue={access.groups.join(', ')}
            placeholder="engineering"
          />
          <TextField
            label="People"
            name="users"
            defaultValue={access.users.join(', ')}
            placeholder="ada@corp.example"
          />
        </div>
      )}
      <Choice
        type="radio"
        name="access"
        value="admins"
        label="Admins only"
        checked={who === 'admins'}
        onChange={() => setWho('admins')}
      />
    </Group>
  );
}
