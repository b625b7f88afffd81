import { useState } from 'react';
import { api } from '../../../api/client.ts';
import type { List, UserRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Confirm } from '../../../design/confirm.tsx';
import { Courses } from '../../../design/course.tsx';
import { TextField } from '../../../design/field.tsx';
import { Failure, Loaded } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { useResource } from '../../../live/resource.ts';
import { useLocalAccounts } from '../../../session/me.tsx';
import { Page, Section } from '../../../shell/page.tsx';
import { GroupsDialog } from './groups-dialog.tsx';
import { Invitations } from './invitations.tsx';
import { InviteDialog } from './invite-dialog.tsx';
import { ResetPassword } from './reset-password.tsx';
import { UserCourse, userLabel } from './user-course.tsx';

/** From how many people on a field to find one stands above them. */
const MANY = 12;

function matches(user: UserRecord, wanted: string): boolean {
  const words = [user.name, user.email, user.id, ...user.groups].join(' ').toLowerCase();
  return words.includes(wanted.trim().toLowerCase());
}

const pathOf = (user: UserRecord) => `/api/v1/users/${encodeURIComponent(user.id)}`;

export function UsersPage() {
  const users = useResource<List<UserRecord>>('/api/v1/users', ['users']);
  const act = useAct();
  const invites = useLocalAccounts();
  const [asking, setAsking] = useState<{
    user: UserRecord;
    what: 'disable' | 'remove' | 'reset' | 'groups';
  } | null>(null);
  const [wanted, setWanted] = useState('');
  const [inviting, setInviting] = useState(false);
  const patch = (user: UserRecord, change: { disabled?: boolean; admin?: boolean }, said: string) =>
    act.run(() => api.patch(pathOf(user), change), said);
  return (
    <Page
      title="Users"
      lead="People appear when they first sign in. Groups come from their provider, or from their invitation."
      actions={
        invites && (
          <Button look="solid" onClick={() => setInviting(true)}>
            Invite someone
          </Button>
        )
      }
    >
      {act.error !== null && <Failure error={act.error} />}
      <Section title="People">
        {(users.data?.items.length ?? 0) > MANY && (
          <TextField
            label="Find"
            type="search"
            value={wanted}
            onChange={event => setWanted(event.target.value)}
            help="A name, an address or a group."
          />
        )}
        <Loaded of={users}>
          {({ items }) => (
            <Courses label="Users">
              {items
                .filter(user => matches(user, wanted))
                .map(user => (
                  <UserCourse
                    key={user.id}
                    user={user}
                    onAdmin={admin =>
                      void patch(
                        user,
                        { admin },
                        `${userLabel(user)} is ${admin ? 'an admin now' : 'no longer an admin'}.`,
                      )
                    }
                    onEnable={() =>
                      void patch(user, { disabled: false }, `${userLabel(user)} may sign in again.`)
                    }
                    onDisable={() => setAsking({ user, what: 'disable' })}
                    onRemove={() => setAsking({ user, what: 'remove' })}
                    onGroups={() => setAsking({ user, what: 'groups' })}
                    onReset={() => setAsking({ user, what: 'reset' })}
                  />
                ))}
            </Courses>
          )}
        </Loaded>
      </Section>
      {invites && <Invitations />}
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
      {asking?.what === 'groups' && <GroupsDialog user={asking.user} onClose={() => setAsking(null)} />}
      {asking?.what === 'reset' && <ResetPassword user={asking.user} onClose={() => setAsking(null)} />}
      {asking?.what === 'disable' && (
        <Confirm
          title={`Disable ${userLabel(asking.user)}?`}
          verb="Disable"
          done={`${userLabel(asking.user)} is disabled.`}
          consequences={`${pathOf(asking.user)}/consequences`}
          kept={['grants']}
          act={() => api.patch(pathOf(asking.user), { disabled: true })}
          onClose={() => setAsking(null)}
        >
          They are refused everywhere within 5 seconds. You can enable them again; sessions that ended stay
          ended.
        </Confirm>
      )}
      {asking?.what === 'remove' && (
        <Confirm
          title={`Remove ${userLabel(asking.user)}?`}
          verb="Remove for good"
          done={`${userLabel(asking.user)} is removed.`}
          consequences={`${pathOf(asking.user)}/consequences`}
          act={() => api.delete(pathOf(asking.user))}
          onClose={() => setAsking(null)}
        >
          This cannot be undone. The audit keeps what they did. If their provider still knows them, signing in
          makes a new, empty account: disable them instead to keep them out.
        </Confirm>
      )}
    </Page>
  );
}
