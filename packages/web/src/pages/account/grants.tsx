import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { Grant, List } from '../../api/types.ts';
import { Button, ButtonLink } from '../../design/button.tsx';
import { Confirm } from '../../design/confirm.tsx';
import { Course, Courses } from '../../design/course.tsx';
import { Mark } from '../../design/mark.tsx';
import { Empty, Loaded } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useResource } from '../../live/resource.ts';
import { Section } from '../../shell/page.tsx';

export function Grants() {
  const grants = useResource<List<Grant>>('/api/v1/grants', ['grants']);
  const [ending, setEnding] = useState<Grant | null>(null);
  return (
    <Section
      title="Connected accounts"
      lead="What you let the gateway do in your name. It is stored sealed, and refreshed before it expires."
    >
      <Loaded of={grants}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No account is connected.">
              One appears when you sign in with a provider, or connect an upstream on your first page.
            </Empty>
          ) : (
            <Courses label="Connected accounts">
              {items.map(grant => (
                <GrantCourse key={grant.id} of={grant} onDisconnect={() => setEnding(grant)} />
              ))}
            </Courses>
          )
        }
      </Loaded>
      {ending !== null && (
        <Confirm
          title={`Disconnect ${ending.provider_name}?`}
          verb="Disconnect"
          done={`${ending.provider_name} disconnected.`}
          act={() => api.delete(`/api/v1/grants/${encodeURIComponent(ending.id)}`)}
          onClose={() => setEnding(null)}
        >
          Its tokens are revoked at {ending.provider_name} and forgotten here. Upstreams that rely on it
          answer “connect first” until you connect again.
        </Confirm>
      )}
    </Section>
  );
}

const expiryWord = (at: string | null) =>
  at !== null && Date.parse(at) <= Date.now() ? 'Access token expired' : 'Access token expires';

function GrantCourse({ of: grant, onDisconnect }: { of: Grant; onDisconnect: () => void }) {
  const spent = grant.state === 'reauth_required';
  return (
    <Course
      title={grant.provider_name}
      marks={<Mark tone={spent ? 'wait' : 'good'}>{spent ? 'Reconnect needed' : 'Ready'}</Mark>}
      facts={[
        [expiryWord(grant.expires_at), <Moment key="e" at={grant.expires_at} none="unknown" />],
        [
          'Last refresh',
          <span key="r">
            <Moment at={grant.refreshed_at} none="none yet" />
            {grant.refresh_result !== null && `: ${grant.refresh_result.replaceAll('_', ' ')}`}
          </span>,
        ],
        ['Scopes', <code key="s">{grant.scope ?? 'not told'}</code>],
      ]}
      actions={
        <>
          {grant.reconnect_url !== null && (
            <ButtonLink
              look={spent ? 'solid' : 'plain'}
              href={grant.reconnect_url}
              aria-label={`Reconnect ${grant.provider_name}`}
            >
              Reconnect
            </ButtonLink>
          )}
          <Button onClick={onDisconnect} aria-label={`Disconnect ${grant.provider_name}`}>
            Disconnect
          </Button>
        </>
      }
    />
  );
}
