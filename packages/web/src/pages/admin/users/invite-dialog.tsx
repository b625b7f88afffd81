import { type FormEvent, useState } from 'react';
import { api } from '../../../api/client.ts';
import type { MintedLink } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { Choice, listOf, TextField } from '../../../design/field.tsx';
import { Failure } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { LinkToSend } from './link-to-send.tsx';

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const act = useAct();
  const [made, setMade] = useState<MintedLink | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const groups = listOf(String(form.get('groups')));
    const name = String(form.get('name')).trim();
    const draft = {
      email: form.get('email'),
      ...(name === '' ? {} : { name }),
      ...(form.get('admin') === null ? {} : { admin: true }),
      ...(groups.length === 0 ? {} : { groups }),
    };
    await act.run(
      async () => setMade(await api.post<MintedLink>('/api/v1/invitations', draft)),
      'Invitation made.',
    );
  };
  if (made !== null) return <LinkToSend of={made} what="the invitation link" onClose={onClose} />;
  return (
    <Dialog title="Invite someone" onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        <TextField
          label="Email"
          name="email"
          type="email"
          required
          help="The gateway sends no mail: you get a link to pass on."
        />
        <TextField label="Name" name="name" maxLength={200} help="They can change it when they accept." />
        <TextField
          label="Groups"
          name="groups"
          placeholder="engineering, support"
          help="Separated by commas. They decide which upstreams the person may use."
        />
        <Choice name="admin" label="Admin" help="May change everything in this console." />
        {act.error !== null && <Failure error={act.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="solid" busy={act.busy}>
            Make the link
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
