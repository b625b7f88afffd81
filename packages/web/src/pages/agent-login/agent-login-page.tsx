import { type FormEvent, useState } from 'react';
import { api } from '../../api/client.ts';
import type { AgentLogin } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { TextField } from '../../design/field.tsx';
import { Failure } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useAct } from '../../live/act.ts';
import { Page } from '../../shell/page.tsx';

/** Where somebody lets their agent in: they enter its code, see what asks, and say yes or no. */
export function AgentLoginPage() {
  const [code, setCode] = useState(() => location.hash.slice(1));
  const [found, setFound] = useState<AgentLogin | null>(null);
  const [answer, setAnswer] = useState<'approved' | 'denied' | null>(null);
  const act = useAct();

  const look = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const entered = String(new FormData(event.currentTarget).get('code') ?? '').trim();
    setCode(entered);
    void act.run(async () =>
      setFound(await api.post<AgentLogin>('/api/v1/agent-logins/open', { user_code: entered })),
    );
  };
  const say = (approve: boolean) =>
    void act.run(async () => {
      await api.post('/api/v1/agent-logins/answer', { user_code: code, approve });
      setAnswer(approve ? 'approved' : 'denied');
    });

  return (
    <Page title="Let an agent in" lead="It gets a key of yours that brings tunnels, and opens nothing else.">
      {answer !== null && (
        <p role="status">
          {answer === 'approved'
            ? 'The agent has its key; go back to its terminal.'
            : 'The agent was turned away.'}
        </p>
      )}
      {answer === null && found === null && (
        <form onSubmit={look}>
          <TextField label="The code that the agent shows" name="code" defaultValue={code} required />
          <Button look="solid" type="submit" busy={act.busy}>
            Continue
          </Button>
        </form>
      )}
      {answer === null && found !== null && (
        <>
          <p>
            <strong>{found.name}</strong>, at {found.address ?? 'an address that is not known'}, asks for a
            key. Say yes only when you started it yourself just now. The code ends{' '}
            <Moment at={found.expires_at} />.
          </p>
          <div className="page-actions">
            <Button look="solid" busy={act.busy} onClick={() => say(true)}>
              Let it in
            </Button>
            <Button busy={act.busy} onClick={() => say(false)}>
              Turn it away
            </Button>
          </div>
        </>
      )}
      {act.error !== null && <Failure error={act.error} />}
    </Page>
  );
}
