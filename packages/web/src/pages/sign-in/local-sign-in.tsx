import type { FormEvent } from 'react';
import { api } from '../../api/client.ts';
import { Button } from '../../design/button.tsx';
import { TextField } from '../../design/field.tsx';
import { Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import { leave } from '../../router/router.tsx';

/** @param alone whether there is no provider above it, which makes this the way in */
export function LocalSignIn({ returnTo, alone }: { returnTo: string; alone: boolean }) {
  const act = useAct();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const signedIn = await act.run(() =>
      api.post('/auth/local', { email: form.get('email'), password: form.get('password') }),
    );
    if (signedIn) leave(returnTo);
  };
  return (
    <form onSubmit={event => void submit(event)}>
      <TextField label="Email" name="email" type="email" autoComplete="username" required />
      <TextField label="Password" name="password" type="password" autoComplete="current-password" required />
      {act.error !== null && <Failure error={act.error} />}
      <Button type="submit" look={alone ? 'solid' : 'plain'} busy={act.busy}>
        Sign in
      </Button>
    </form>
  );
}
