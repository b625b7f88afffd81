import { useState } from 'react';
import { api } from '../../../api/client.ts';
import type { ClaimRule, List, ProviderRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Confirm } from '../../../design/confirm.tsx';
import { Course, Courses } from '../../../design/course.tsx';
import { Mark, Tag } from '../../../design/mark.tsx';
import { Empty, Loaded } from '../../../design/state.tsx';
import { useResource } from '../../../live/resource.ts';
import { Page } from '../../../shell/page.tsx';
import { TestLine } from '../test-line.tsx';
import { ProviderDialog } from './provider-dialog.tsx';

export function ProvidersPage() {
  const providers = useResource<List<ProviderRecord>>('/api/v1/providers', ['providers']);
  const [editing, setEditing] = useState<ProviderRecord | 'new' | null>(null);
  const [removing, setRemoving] = useState<ProviderRecord | null>(null);
  return (
    <Page
      title="Providers"
      lead="Where people sign in, and whose tokens the gateway keeps fresh for them."
      actions={
        <Button look="solid" onClick={() => setEditing('new')}>
          Add a provider
        </Button>
      }
    >
      <Loaded of={providers}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No provider yet.">
              Add your company's single sign-on, or invite people to local accounts from the users page.
            </Empty>
          ) : (
            <Courses label="Providers">
              {items.map(provider => (
                <ProviderCourse
                  key={`${provider.source} ${provider.id}`}
                  provider={provider}
                  onEdit={() => setEditing(provider)}
                  onRemove={() => setRemoving(provider)}
                />
              ))}
            </Courses>
          )
        }
      </Loaded>
      {editing !== null && (
        <ProviderDialog provider={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
      )}
      {removing !== null && (
        <Confirm
          title={`Remove ${removing.name}?`}
          verb="Remove provider"
          done={`${removing.name} is removed.`}
          consequences={`/api/v1/providers/${encodeURIComponent(removing.id)}/consequences`}
          act={() => api.delete(`/api/v1/providers/${encodeURIComponent(removing.id)}`)}
          onClose={() => setRemoving(null)}
        >
          Nobody can sign in with it any more. Its tokens are revoked there where it takes that, and
          forgotten.
        </Confirm>
      )}
    </Page>
  );
}

function ProviderCourse({
  provider,
  onEdit,
  onRemove,
}: {
  provider: ProviderRecord;
  onEdit: () => void;
  onRemove: () => void;
}) {
  const fromFile = provider.source === 'file';
  return (
    <Course
      title={provider.name}
      marks={
        <>
          <Tag>{provider.protocol === 'oidc' ? 'OpenID Connect' : 'OAuth 2'}</Tag>
          {fromFile && <Tag>from the file</Tag>}
        </>
      }
      facts={[
        ['Id', <code key="i">{provider.id}</code>],
        ['Issuer', <code key="u">{provider.issuer}</code>],
        ['Client', <code key="c">{provider.client_id}</code>],
        ['Secret', provider.has_secret ? 'stored' : 'none (public client)'],
        ['Scope', <code key="s">{provider.scope}</code>],
        ['Lets in', provider.allow === null ? 'everyone it knows' : ruleInShort(provider.allow)],
        ['Admins', provider.admins === null ? 'made here' : ruleInShort(provider.admins)],
      ]}
      actions={
        fromFile ? undefined : (
          <>
            <Button onClick={onEdit} aria-label={`Edit ${provider.name}`}>
              Edit
            </Button>
            <Button onClick={onRemove} aria-label={`Remove ${provider.name}`}>
              Remove
            </Button>
          </>
        )
      }
    >
      {provider.problem !== null && (
        <p>
          <Mark tone="bad">It cannot be used</Mark> {provider.problem}
        </p>
      )}
      {fromFile && (
        <p className="small muted">
          Read-only here: it stands in the configuration file. Change it there and restart the gateway.
        </p>
      )}
      {provider.problem === null && (
        <TestLine path="/api/v1/providers/test" body={() => ({ id: provider.id })} of={provider.name} />
      )}
    </Course>
  );
}

const ruleInShort = ({ claim, has }: ClaimRule): string => `whose ${claim} has ${has.join(' or ')}`;
