import { type FormEvent, useState } from 'react';
import { api } from '../../api/client.ts';
import type { HomeUpstream, List, NewKey } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Takeaway } from '../../design/copy.tsx';
import { Dialog, DialogActions } from '../../design/dialog.tsx';
import { Choice, Group, SelectField, TextField } from '../../design/field.tsx';
import { Failure, Note } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import { useResource } from '../../live/resource.ts';
import { useMe } from '../../session/me.tsx';

const DAY = 86_400;

export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const [made, setMade] = useState<NewKey | null>(null);
  return (
    <Dialog title={made === null ? 'Make a gateway key' : 'Your new key'} onClose={onClose}>
      {made === null ? (
        <NewKeyForm onMade={setMade} onClose={onClose} />
      ) : (
        <ShownOnce of={made} onClose={onClose} />
      )}
    </Dialog>
  );
}

function NewKeyForm({ onMade, onClose }: { onMade: (key: NewKey) => void; onClose: () => void }) {
  const me = useMe();
  const act = useAct();
  const upstreams = useResource<List<HomeUpstream>>('/api/v1/home', ['upstreams']);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const lifetime = Number(form.get('lifetime'));
    const scope = form.getAll('scope').map(String);
    const draft = {
      name: form.get('name'),
      ...(lifetime > 0 ? { expires_in: lifetime } : {}),
      ...(scope.length > 0 ? { scope } : {}),
      ...(form.get('admin') === null ? {} : { admin: true }),
    };
    await act.run(async () => onMade(await api.post<NewKey>('/api/v1/keys', draft)), 'Key made.');
  };
  return (
    <form onSubmit={event => void submit(event)}>
      <TextField
        label="Name"
        name="name"
        required
        maxLength={100}
        placeholder="laptop"
        help="What will use it; only for you to tell keys apart."
      />
      <SelectField label="Expires" name="lifetime" defaultValue={90 * DAY}>
        <option value={7 * DAY}>in 7 days</option>
        <option value={30 * DAY}>in 30 days</option>
        <option value={90 * DAY}>in 90 days</option>
        <option value={365 * DAY}>in a year</option>
        <option value={0}>never</option>
      </SelectField>
      {(upstreams.data?.items.length ?? 0) > 0 && (
        <Group legend="Only for (none chosen: everything you may use)">
          {upstreams.data?.items.map(upstream => (
            <Choice key={upstream.id} name="scope" value={upstream.id} label={upstream.name} />
          ))}
        </Group>
      )}
      {me.user.admin && (
        <Choice
          name="admin"
          label="May call the admin API"
          help="Leave it off unless a program is to manage this gateway."
        />
      )}
      {act.error !== null && <Failure error={act.error} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="solid" busy={act.busy}>
          Make the key
        </Button>
      </DialogActions>
    </form>
  );
}

function ShownOnce({ of: made, onClose }: { of: NewKey; onClose: () => void }) {
  return (
    <>
      <Note tone="warn">
        <p>Copy it now: it is shown this once. The gateway keeps only its hash.</p>
      </Note>
      <Takeaway text={made.key} what="the new key" />
      <DialogActions>
        <Button look="solid" onClick={onClose}>
          I have it
        </Button>
      </DialogActions>
    </>
  );
}
