import { type FormEvent, useEffect, useState } from 'react';
import { type ApiError, api, asApiError } from '../../api/client.ts';
import type { OpenedInvitation } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { TextField } from '../../design/field.tsx';
import { Failure } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useAct } from '../../live/act.ts';
import { leave } from '../../router/router.tsx';
import { Gatehouse } from './gatehouse.tsx';

/** The secret stands behind the `#`: no server sees it before it is sent in a body. */
const secretHere = () => location.hash.slice(1);

/** An invited person, or one who forgot their password, chooses one and is in. */
export function InvitePage() {
  const [secret] = useState(secretHere);
  const [found, setFound] = useState<OpenedInvitation | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    // Another link opened in this very window only changes what is behind the #.
    const again = () => location.reload();
    addEventListener('hashchange', again);
    api.post<OpenedInvitation>('/api/v1/invitations/open', { secret }).then(setFound, thrown => {
      setError(asApiError(thrown));
    });
    return () => removeEventListener('hashchange', again);
  }, [secret]);
  if (error !== null) {
    const gone = [400, 410].includes(error.status);
    return (
      <Gatehouse title={gone ? 'This link leads nowhere' : 'You are invited'}>
        {gone ? (
          <p>It was used, withdrawn, or has run out. Ask the person who sent it for a new one.</p>
        ) : (
          <Failure error={error} retry={() => location.reload()} />
        )}
      </Gatehouse>
    );
  }
  if (found === null) return <Gatehouse title="You are invited">{null}</Gatehouse>;
  return (
    <Gatehouse title={found.purpose === 'account' ? 'You are invited' : 'Choose a new password'}>
      <p>
        Choose a password for <strong>{found.email}</strong>. This link ends <Moment at={found.expires_at} />.
      </p>
      <AcceptForm secret={secret} invitation={found} />
    </Gatehouse>
  );
}

function AcceptForm({ secret, invitation }: { secret: string; invitation: OpenedInvitation }) {
  const act = useAct();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = String(form.get('name') ?? '').trim();
    const accepted = await act.run(() =>
      api.post('/api/v1/invitations/accept', {
        secret,
        ...(name === '' ? {} : { name }),
        password: form.get('password'),
      }),
    );
    if (accepted) leave('/');
  };
  return (
    <form onSubmit={event => void submit(event)}>
      {/* Password managers pair the new password with this. */}
      <input type="hidden" name="username" autoComplete="username" value={invitation.email} readOnly />
      {invitation.purpose === 'account' && (
        <TextField
          label="Your name"
          name="name"
          autoComplete="name"
          maxLength={200}
          defaultValue={invitation.name ?? ''}
        />
      )}
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
