import { type FormEvent, useState } from 'react';
import { api } from '../../api/client.ts';
import type { OwnPassword } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Course, Courses } from '../../design/course.tsx';
import { Dialog, DialogActions } from '../../design/dialog.tsx';
import { TextField } from '../../design/field.tsx';
import { Failure, Loaded, Note } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useAct } from '../../live/act.ts';
import { useResource } from '../../live/resource.ts';
import { Section } from '../../shell/page.tsx';

/** For people without a provider: the password they sign in with. */
export function Password() {
  const own = useResource<OwnPassword>('/api/v1/password', ['users']);
  const [setting, setSetting] = useState(false);
  return (
    <Section title="Password" lead="What you sign in with here.">
      <Loaded of={own}>
        {({ email, changed_at }) => (
          <>
            {email === null ? (
              <Note tone="warn">
                <p>You came by a link that works once. Set a password, so that you can sign in again.</p>
                <Button look="solid" onClick={() => setSetting(true)}>
                  Set a password
                </Button>
              </Note>
            ) : (
              <Courses label="Password">
                <Course
                  title={email}
                  facts={[['Set', <Moment key="c" at={changed_at} />]]}
                  actions={<Button onClick={() => setSetting(true)}>Change password</Button>}
                />
              </Courses>
            )}
            {setting && (
              <SetPassword
                email={email}
                onClose={() => {
                  setSetting(false);
                  own.reload();
                }}
              />
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}

/** @param email null: there is no password yet, and the address comes with it */
function SetPassword({ email, onClose }: { email: string | null; onClose: () => void }) {
  const act = useAct();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const wanted = {
      password: form.get('password'),
      ...(email === null ? { email: form.get('email') } : { current_password: form.get('current') }),
    };
    if (await act.run(() => api.put('/api/v1/password', wanted), 'Password set.')) onClose();
  };
  return (
    <Dialog title={email === null ? 'Set a password' : 'Change your password'} onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        {email === null ? (
          <TextField label="Email" name="email" type="email" autoComplete="username" required />
        ) : (
          <>
            <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
            <TextField
              label="Current password"
              name="current"
              type="password"
              autoComplete="current-password"
              required
            />
          </>
        )}
        <TextField
          label="New password"
          name="password"
          type="password"
          autoComplete="new-password"
          minLength={12}
          required
          help="At least 12 characters. Your other sessions end; your gateway keys go on."
        />
        {act.error !== null && <Failure error={act.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="solid" busy={act.busy}>
            Set password
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
