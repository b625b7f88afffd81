import type { FormEvent } from 'react';
import { api } from '../../../api/client.ts';
import type { UserRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { listOf, TextField } from '../../../design/field.tsx';
import { Failure } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { userLabel } from './user-course.tsx';

/** Groups of a local account: nobody else tells of them. */
export function GroupsDialog({ user, onClose }: { user: UserRecord; onClose: () => void }) {
  const act = useAct();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const groups = listOf(String(new FormData(event.currentTarget).get('groups')));
    const path = `/api/v1/users/${encodeURIComponent(user.id)}`;
    if (await act.run(() => api.patch(path, { groups }), 'Groups changed.')) onClose();
  };
  return (
    <Dialog title={`Groups of ${userLabel(user)}`} onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        <TextField
          label="Groups"
          name="groups"
          defaultValue={user.groups.join(', ')}
          placeholder="engineering, support"
          help="Separated by commas. They decide which upstreams the person may use, from the next call on."
        />
        {act.error !== null && <Failure error={act.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="solid" busy={act.busy}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
