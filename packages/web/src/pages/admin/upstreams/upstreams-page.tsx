import { useState } from 'react';
import { api } from '../../../api/client.ts';
import type { List, UpstreamRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Confirm } from '../../../design/confirm.tsx';
import { Courses } from '../../../design/course.tsx';
import { Empty, Loaded } from '../../../design/state.tsx';
import { useResource } from '../../../live/resource.ts';
import { Page } from '../../../shell/page.tsx';
import { UpstreamDialog } from './upstream-dialog.tsx';
import { UpstreamEntry } from './upstream-entry.tsx';

export function UpstreamsPage() {
  const upstreams = useResource<List<UpstreamRecord>>('/api/v1/upstreams', ['upstreams']);
  const [editing, setEditing] = useState<UpstreamRecord | 'new' | null>(null);
  const [removing, setRemoving] = useState<UpstreamRecord | null>(null);
  return (
    <Page
      title="Upstreams"
      lead="What stands behind the gate: where it is, who may use it, and what it receives as proof of who is calling."
      actions={
        <Button look="solid" onClick={() => setEditing('new')}>
          Add an upstream
        </Button>
      }
    >
      <Loaded of={upstreams}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No upstream yet.">Add a model API, a tool server, or any HTTP service.</Empty>
          ) : (
            <Courses label="Upstreams">
              {items.map(upstream => (
                <UpstreamEntry
                  key={`${upstream.source} ${upstream.id}`}
                  upstream={upstream}
                  onEdit={() => setEditing(upstream)}
                  onRemove={() => setRemoving(upstream)}
                />
              ))}
            </Courses>
          )
        }
      </Loaded>
      {editing !== null && (
        <UpstreamDialog upstream={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
      )}
      {removing !== null && (
        <Confirm
          title={`Remove ${removing.name}?`}
          verb="Remove upstream"
          done={`${removing.name} is removed.`}
          consequences={`/api/v1/upstreams/${encodeURIComponent(removing.id)}/consequences`}
          act={() => api.delete(`/api/v1/upstreams/${encodeURIComponent(removing.id)}`)}
          onClose={() => setRemoving(null)}
        >
          Calls to it are refused from now on, and its stored key is forgotten. The upstream itself is not
          touched.
        </Confirm>
      )}
    </Page>
  );
}
