import type { Access, UpstreamRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Course, type Fact } from '../../../design/course.tsx';
import { Mark, Tag } from '../../../design/mark.tsx';
import { KIND_NAMES } from '../../../design/words.ts';
import { TestLine } from '../test-line.tsx';
import { credentialInShort } from './credential-words.ts';

export function UpstreamEntry({
  upstream,
  onEdit,
  onRemove,
}: {
  upstream: UpstreamRecord;
  onEdit: () => void;
  onRemove: () => void;
}) {
  const fromFile = upstream.source === 'file';
  const facts: Fact[] = [
    ['Id', <code key="i">{upstream.id}</code>],
    upstream.embedded ? ['Runs on', shellsInShort(upstream)] : ['URL', <code key="u">{upstream.url}</code>],
    ['Receives', credentialInShort(upstream.credential)],
    ['For', accessInShort(upstream.access)],
  ];
  if (upstream.record) facts.push(['Recorded', 'what its terminals print']);
  if (upstream.models.length > 0) facts.push(['Models', <code key="m">{upstream.models.join(', ')}</code>]);
  return (
    <Course
      title={upstream.name}
      marks={
        <>
          <Tag>{KIND_NAMES[upstream.kind]}</Tag>
          {fromFile && <Tag>from the file</Tag>}
        </>
      }
      facts={facts}
      actions={
        fromFile ? undefined : (
          <>
            <Button onClick={onEdit} aria-label={`Edit ${upstream.name}`}>
              Edit
            </Button>
            <Button onClick={onRemove} aria-label={`Remove ${upstream.name}`}>
              Remove
            </Button>
          </>
        )
      }
    >
      {upstream.problem !== null && (
        <p>
          <Mark tone="bad">It cannot be used</Mark> {upstream.problem}
        </p>
      )}
      {fromFile && (
        <p className="small muted">
          Read-only here: it stands in the configuration file. Change it there and restart the gateway.
        </p>
      )}
      {upstream.problem === null && (
        <TestLine path="/api/v1/upstreams/test" body={() => ({ id: upstream.id })} of={upstream.name} />
      )}
    </Course>
  );
}

const shellsInShort = ({ isolate }: UpstreamRecord): string =>
  isolate === 'bubblewrap' ? 'this machine, each shell isolated by bubblewrap' : 'this machine, not isolated';

function accessInShort(access: Access): string {
  if (access.everyone) return 'everyone signed in';
  const parts = [...access.groups.map(group => `group ${group}`), ...access.users];
  return parts.length === 0 ? 'admins only' : parts.join(', ');
}
