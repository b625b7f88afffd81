import { type FormEvent, useState } from 'react';
import { api } from '../../../api/client.ts';
import { Button } from '../../../design/button.tsx';
import { Takeaway } from '../../../design/copy.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { Choice, listOf, TextField } from '../../../design/field.tsx';
import { Failure } from '../../../design/state.tsx';
import { Moment } from '../../../design/time.tsx';
import { useAct } from '../../../live/act.ts';

interface Made {
  url: string;
  expires_at: string;
}

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const act = useAct();
  const [made, setMade] = useState<Made | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const groups = listOf(String(form.get('groups')));
    const draft = {
      email: form.get('email'),
      ...(form.get('admin') === null ? {} : { admin: true }),
      ...(groups.length === 0 ? {} : { groups }),
    };
    await act.run(
      async () => setMade(await api.post<Made>('/api/v1/invitations', draft)),
      'Invitation made.',
    );
  };
  if (made !== null) {
    return (
      <Dialog title="Send them this link" onClose={onClose}>
        <p>
          Whoever opens it first chooses the password, so send it to them alone. It works once and ends{' '}
          <Moment at={made.expires_at} />. It is not shown again.
        </p>
        <Takeaway text={made.url} what="the invitation link" />
        <DialogActions>
          <Button look="solid" onClick={onClose}>
            Done
          </Button>
        </DialogActions>
      </Dialog>
    );
  }
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
