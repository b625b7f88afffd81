import type { FormEvent } from 'react';
import { api } from '../../api/client.ts';
import { Button } from '../../design/button.tsx';
import { TextField } from '../../design/field.tsx';
import { Failure, Loaded } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useAct } from '../../live/act.ts';
import { useResource } from '../../live/resource.ts';
import { leave } from '../../router/router.tsx';
import { Gatehouse } from './gatehouse.tsx';

/** An invited person chooses a password and is in. */
export function InvitePage({ token }: { token: string }) {
  const path = `/api/v1/invitations/${token}`;
  const invitation = useResource<{ email: string; expires_at: string }>(path, []);
  const gone = invitation.error !== null && [404, 410].includes(invitation.error.status);
  return (
    <Gatehouse title="You are invited">
      {gone ? (
        <p>This invitation was used, withdrawn, or has run out. Ask the person who sent it for a new one.</p>
      ) : (
        <Loaded of={invitation}>
          {found => (
            <>
              <p>
                Choose a password for <strong>{found.email}</strong>. This link ends{' '}
                <Moment at={found.expires_at} />.
              </p>
              <AcceptForm path={path} email={found.email} />
            </>
          )}
        </Loaded>
      )}
    </Gatehouse>
  );
}

function AcceptForm({ path, email }: { path: string; email: string }) {
  const act = useAct();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = String(form.get('name')).trim();
    const accepted = await act.run(() =>
      api.post(path, { ...(name === '' ? {} : { name }), password: form.get('password') }),
    );
    if (accepted) leave('/');
  };
  return (
    <form onSubmit={event => void submit(event)}>
      {/* Password managers pair the new password with this. */}
      <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
      <TextField label="Your name" name="name" autoComplete="name" />
      <TextField
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={12}
        required
        help="At least 12 characters. A few unrelated words make a good one."
      />
      {act.error !== null && <Failure error={act.error} />}
      <Button type="submit" look="solid" busy={act.busy}>
        Come in
      </Button>
    </form>
  );
}
