import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { Key, List } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Confirm } from '../../design/confirm.tsx';
import { Course, Courses } from '../../design/course.tsx';
import { Mark, Tag } from '../../design/mark.tsx';
import { Empty, Loaded } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useResource } from '../../live/resource.ts';
import { Section } from '../../shell/page.tsx';
import { NewKeyDialog } from './new-key.tsx';

export function Keys() {
  const keys = useResource<List<Key>>('/api/v1/keys', ['keys']);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Key | null>(null);
  return (
    <Section
      title="Gateway keys"
      lead="What your programs show instead of a provider's token."
      actions={
        <Button look="solid" onClick={() => setMaking(true)}>
          Make a key
        </Button>
      }
    >
      <Loaded of={keys}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No keys yet.">
              Make one for each program, so that you can revoke one without the others.
            </Empty>
          ) : (
            <Courses label="Gateway keys">
              {items.map(key => (
                <KeyCourse key={key.id} of={key} onRevoke={() => setRevoking(key)} />
              ))}
            </Courses>
          )
        }
      </Loaded>
      {making && <NewKeyDialog onClose={() => setMaking(false)} />}
      {revoking !== null && (
        <Confirm
          title={`Revoke ${nameOf(revoking)}?`}
          verb="Revoke key"
          done="Key revoked."
          act={() => api.delete(`/api/v1/keys/${encodeURIComponent(revoking.id)}`)}
          onClose={() => setRevoking(null)}
        >
          Programs that use it are refused from now on, and what they have open is closed within 5 seconds. A
          key cannot be brought back.
        </Confirm>
      )}
    </Section>
  );
}

const nameOf = (key: Key) => key.name ?? key.id;

function KeyCourse({ of: key, onRevoke }: { of: Key; onRevoke: () => void }) {
  const expired = key.expires_at !== null && Date.parse(key.expires_at) <= Date.now();
  const dead = key.revoked_at !== null || expired;
  return (
    <Course
      title={nameOf(key)}
      dim={dead}
      marks={
        <>
          {key.revoked_at !== null && <Mark tone="off">Revoked</Mark>}
          {key.revoked_at === null && expired && <Mark tone="off">Expired</Mark>}
          {key.admin && <Tag>admin</Tag>}
          {key.scope?.map(id => (
            <Tag key={id}>only {id}</Tag>
          ))}
        </>
      }
      facts={[
        ['Last used', <Moment key="u" at={key.used_at} none="not yet" />],
        ['Made', <Moment key="c" at={key.created_at} />],
        key.revoked_at === null
          ? [expired ? 'Expired' : 'Expires', <Moment key="e" at={key.expires_at} />]
          : ['Revoked', <Moment key="r" at={key.revoked_at} />],
      ]}
      actions={
        dead ? undefined : (
          <Button onClick={onRevoke} aria-label={`Revoke ${nameOf(key)}`}>
            Revoke
          </Button>
        )
      }
    />
  );
}
