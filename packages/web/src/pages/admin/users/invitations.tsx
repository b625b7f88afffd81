import { useState } from 'react';
import { api } from '../../../api/client.ts';
import type { Invitation, List } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Confirm } from '../../../design/confirm.tsx';
import { Course, Courses } from '../../../design/course.tsx';
import { Tag } from '../../../design/mark.tsx';
import { Empty, Loaded } from '../../../design/state.tsx';
import { Moment } from '../../../design/time.tsx';
import { useResource } from '../../../live/resource.ts';
import { Section } from '../../../shell/page.tsx';

export function Invitations() {
  const invitations = useResource<List<Invitation>>('/api/v1/invitations', ['users']);
  const [withdrawing, setWithdrawing] = useState<Invitation | null>(null);
  return (
    <Section title="Invitations" lead="Links to a local account, for people without a provider.">
      <Loaded of={invitations}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No invitation is open." />
          ) : (
            <Courses label="Invitations">
              {items.map(invitation => (
                <Course
                  key={invitation.id}
                  title={invitation.email}
                  marks={invitation.admin === true ? <Tag>admin</Tag> : undefined}
                  facts={[
                    ['Ends', <Moment key="e" at={invitation.expires_at} />],
                    ['Groups', invitation.groups?.join(', ') || 'none'],
                  ]}
                  actions={
                    <Button
                      onClick={() => setWithdrawing(invitation)}
                      aria-label={`Withdraw the invitation of ${invitation.email}`}
                    >
                      Withdraw
                    </Button>
                  }
                />
              ))}
            </Courses>
          )
        }
      </Loaded>
      {withdrawing !== null && (
        <Confirm
          title="Withdraw this invitation?"
          verb="Withdraw"
          done="Invitation withdrawn."
          act={() => api.delete(`/api/v1/invitations/${encodeURIComponent(withdrawing.id)}`)}
          onClose={() => setWithdrawing(null)}
        >
          The link that {withdrawing.email} has stops working.
        </Confirm>
      )}
    </Section>
  );
}
