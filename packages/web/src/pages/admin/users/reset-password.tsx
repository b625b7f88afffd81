import { useState } from 'react';
import { api } from '../../../api/client.ts';
import type { MintedLink, UserRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Dialog, DialogActions } from '../../../design/dialog.tsx';
import { Failure } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { LinkToSend } from './link-to-send.tsx';
import { userLabel } from './user-course.tsx';

/** For a person who forgot their password: a link to a new one. The old one works until then. */
export function ResetPassword({ user, onClose }: { user: UserRecord; onClose: () => void }) {
  const act = useAct();
  const [made, setMade] = useState<MintedLink | null>(null);
  const mint = () =>
    act.run(
      async () =>
        setMade(await api.post<MintedLink>(`/api/v1/users/${encodeURIComponent(user.id)}/password-link`)),
      'Link made.',
    );
  if (made !== null) return <LinkToSend of={made} what="the link to a new password" onClose={onClose} />;
  return (
    <Dialog title={`A new password for ${userLabel(user)}?`} onClose={onClose}>
      <p>
        You get a link to pass on. Once they have chosen a new password with it, the old one is over and they
        are signed out everywhere else. Their gateway keys go on.
      </p>
      {act.error !== null && <Failure error={act.error} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="solid" busy={act.busy} onClick={() => void mint()}>
          Make the link
        </Button>
      </DialogActions>
    </Dialog>
  );
}
