import { useState } from 'react';
import type { Tunnel } from '../../api/types.ts';
import { Takeaway } from '../../design/copy.tsx';
import { TextField } from '../../design/field.tsx';
import { Mark } from '../../design/mark.tsx';
import { Tabs } from '../../design/tabs.tsx';
import { useMe } from '../../session/me.tsx';
import { asServerName, freeName, SERVED, serveCommand } from './agent-commands.ts';
import { AgentKey } from './agent-key.tsx';
import './connect-guide.css';

/** How a server is connected: the commands for this gateway and this person, ready to be pasted. */
export function ConnectGuide({ tunnels }: { tunnels: readonly Tunnel[] }) {
  const me = useMe();
  const [chosen, setChosen] = useState(0);
  const [typed, setTyped] = useState('');
  const mine = tunnels.filter(tunnel => tunnel.owner_id === me.user.id);
  // Of those that are here already; not of the one that comes meanwhile.
  const [taken] = useState(() => mine.map(tunnel => tunnel.name.split('/')[1]!));
  const served = SERVED[chosen]!;
  const suggestion = freeName(served.suggestion, taken);
  const name = asServerName(typed) ?? suggestion;
  const handle = mine[0]?.name.split('/')[0] ?? '{you}';
  const gateway = me.gateway.public_url.replace(/\/$/, '');
  return (
    <ol className="guide">
      <li>
        <h3>Let the agent in, once on its machine</h3>
        <AgentKey gateway={gateway} />
      </li>
      <li>
        <h3>Start it beside the server</h3>
        <Tabs
          label="What the agent brings"
          names={SERVED.map(each => each.name)}
          chosen={chosen}
          onChoose={setChosen}
        >
          <p className="small">{served.explained}</p>
          <Takeaway text={serveCommand(gateway, name, served.rest)} what="the agent's command" />
        </Tabs>
        <TextField
          label="What it is to be called"
          value={typed}
          placeholder={suggestion}
          maxLength={63}
          onChange={event => setTyped(event.target.value)}
          help={
            <>
              Its address will be{' '}
              <code>
                {gateway}/{served.path}/{handle}/{name}
              </code>
              {handle === '{you}' && ', where {you} is made of your address and then kept'}.
            </>
          }
        />
      </li>
      <li>
        <h3>See it come</h3>
        <Arrival tunnel={mine.find(tunnel => tunnel.name === `${handle}/${name}`)} name={name} />
      </li>
    </ol>
  );
}

function Arrival({ tunnel, name }: { tunnel: Tunnel | undefined; name: string }) {
  return (
    <p role="status">
      {tunnel?.connected === true ? (
        <Mark tone="good">{tunnel.name} is connected</Mark>
      ) : (
        <Mark tone="wait">Waiting for {name}: it shows here as soon as its agent is connected</Mark>
      )}
    </p>
  );
}
