import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { List, Session } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Confirm } from '../../design/confirm.tsx';
import { Course, Courses } from '../../design/course.tsx';
import { Mark } from '../../design/mark.tsx';
import { Loaded } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useResource } from '../../live/resource.ts';
import { Section } from '../../shell/page.tsx';
import { browserName } from './browser-name.ts';

export function Sessions() {
  const sessions = useResource<List<Session>>('/api/v1/sessions', ['sessions']);
  const [ending, setEnding] = useState<Session | null>(null);
  return (
    <Section title="Sessions" lead="Where you are signed in. End what you do not recognize.">
      <Loaded of={sessions}>
        {({ items }) => (
          <Courses label="Sessions">
            {items.map(session => (
              <Course
                key={session.id}
                title={browserName(session.user_agent)}
                marks={session.current ? <Mark tone="good">This browser</Mark> : undefined}
                facts={[
                  ['From', session.address ?? 'unknown'],
                  ['Seen', <Moment key="n" at={session.seen_at} />],
                  ['Signed in', <Moment key="c" at={session.created_at} />],
                  ['Ends', <Moment key="e" at={session.expires_at} />],
                ]}
                actions={
                  session.current ? undefined : (
                    <Button
                      onClick={() => setEnding(session)}
                      aria-label={`End the session in ${browserName(session.user_agent)}`}
                    >
                      End
                    </Button>
                  )
                }
              />
            ))}
          </Courses>
        )}
      </Loaded>
      {ending !== null && (
        <Confirm
          title="End this session?"
          verb="End session"
          done="Session ended."
          act={() => api.delete(`/api/v1/sessions/${encodeURIComponent(ending.id)}`)}
          onClose={() => setEnding(null)}
        >
          {browserName(ending.user_agent)} from {ending.address ?? 'an unknown address'} is signed out, and
          what it has open is closed within 5 seconds.
        </Confirm>
      )}
    </Section>
  );
}
