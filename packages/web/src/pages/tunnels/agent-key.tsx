import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { NewKey } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Takeaway } from '../../design/copy.tsx';
import { Failure } from '../../design/state.tsx';
import { Tabs } from '../../design/tabs.tsx';
import { useAct } from '../../live/act.ts';
import { Link } from '../../router/router.tsx';
import { loginCommand } from './agent-commands.ts';

const LIFETIME = 90 * 86_400;

/** How an agent comes by a key that brings tunnels and opens nothing else. */
export function AgentKey({ gateway }: { gateway: string }) {
  const [chosen, setChosen] = useState(0);
  return (
    <Tabs
      label="How the agent gets its key"
      names={['By your browser', 'By a key']}
      chosen={chosen}
      onChoose={setChosen}
    >
      {chosen === 0 ? (
        <>
          <p className="small">
            It shows a page and a code. <Link to="/agent-login">Enter the code there</Link> and say yes; the
            agent keeps its key, which brings tunnels of yours and opens nothing else.
          </p>
          <Takeaway text={loginCommand(gateway)} what="the login command" />
        </>
      ) : (
        <ByKey />
      )}
    </Tabs>
  );
}

/** For a machine whose owner has no browser at hand. */
function ByKey() {
  const act = useAct();
  const [key, setKey] = useState<string | null>(null);
  const make = () =>
    act.run(async () => {
      const draft = { name: 'agent', scope: ['tunnel:*'], expires_in: LIFETIME };
      setKey((await api.post<NewKey>('/api/v1/keys', draft)).key);
    }, 'Key made.');
  if (key !== null)
    return (
      <>
        <p className="small">
          Copy it now: it is shown this once. It is good for 90 days, brings tunnels of yours, and opens
          nothing else; you can revoke it in your account.
        </p>
        <Takeaway text={`export SALLYPORT_KEY=${key}`} what="the agent's key" />
      </>
    );
  return (
    <>
      <p className="small">
        The agent takes its key from <code>SALLYPORT_KEY</code>, or from a file that <code>--key-file</code>{' '}
        names.
      </p>
      {act.error !== null && <Failure error={act.error} />}
      <div>
        <Button busy={act.busy} onClick={() => void make()}>
          Make a key for an agent
        </Button>
      </div>
    </>
  );
}
