import type { Tunnel } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Course } from '../../design/course.tsx';
import { Mark, Tag } from '../../design/mark.tsx';
import { Moment } from '../../design/time.tsx';
import { TUNNEL_KIND_NAMES } from '../../design/words.ts';
import { Link } from '../../router/router.tsx';
import { useMe } from '../../session/me.tsx';
import { tunnelFacts } from './tunnel-facts.tsx';

/** What it is called to let go of it: of one that is away nothing is left to be disconnected. */
export const partingWith = (tunnel: Tunnel): string => (tunnel.connected ? 'Disconnect' : 'Forget');

/** One tunnel in the list. */
export function TunnelCourse({
  tunnel,
  onAsk,
}: {
  tunnel: Tunnel;
  onAsk: (what: 'share' | 'alias' | 'disconnect') => void;
}) {
  const me = useMe();
  return (
    <Course
      title={tunnel.title ?? tunnel.name}
      dim={!tunnel.connected}
      marks={
        <>
          <Connection tunnel={tunnel} />
          <Tag>{TUNNEL_KIND_NAMES[tunnel.kind]}</Tag>
          {tunnel.owner_id !== me.user.id && <Tag>of {tunnel.owner ?? tunnel.owner_id}</Tag>}
          {tunnel.shared !== null && <Shared tunnel={tunnel} />}
        </>
      }
      facts={tunnelFacts(tunnel)}
      actions={
        tunnel.may_change ? (
          <>
            <Button onClick={() => onAsk('share')} aria-label={`Share ${tunnel.name}`}>
              Share
            </Button>
            {me.user.admin && (
              <Button onClick={() => onAsk('alias')} aria-label={`Plain name of ${tunnel.name}`}>
                Plain name
              </Button>
            )}
            <Button onClick={() => onAsk('disconnect')} aria-label={`${partingWith(tunnel)} ${tunnel.name}`}>
              {partingWith(tunnel)}
            </Button>
          </>
        ) : undefined
      }
    >
      {tunnel.connected && tunnel.kind !== 'http' && (
        <p>
          {tunnel.kind === 'terminal' ? (
            <Link to="/terminal">Open a terminal</Link>
          ) : (
            <Link to={`/tools/${tunnel.name}`}>Try its tools</Link>
          )}
        </p>
      )}
    </Course>
  );
}

/** Whether an agent serves it, and since when. */
export function Connection({ tunnel }: { tunnel: Tunnel }) {
  return tunnel.connected ? (
    <Mark tone="good">
      Connected <Moment at={tunnel.since} />
    </Mark>
  ) : (
    <Mark tone="off">
      Away <Moment at={tunnel.since ?? tunnel.seen_at} />
    </Mark>
  );
}

function Shared({ tunnel }: { tunnel: Tunnel }) {
  const { everyone, users, groups } = tunnel.shared!;
  if (everyone) return <Tag>shared with everyone</Tag>;
  const parts = [...groups.map(group => `group ${group}`), ...users];
  if (parts.length === 0) return null;
  return <Tag>shared with {parts.length > 2 ? `${parts.length} people and groups` : parts.join(', ')}</Tag>;
}
