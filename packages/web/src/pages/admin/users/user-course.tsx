import type { UserRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Course } from '../../../design/course.tsx';
import { Mark, Tag } from '../../../design/mark.tsx';
import { Moment } from '../../../design/time.tsx';
import { useLocalAccounts, useMe } from '../../../session/me.tsx';

export const userLabel = (user: UserRecord): string => user.name ?? user.email ?? user.id;

export function UserCourse(props: {
  user: UserRecord;
  onAdmin: (admin: boolean) => void;
  onEnable: () => void;
  onDisable: () => void;
  onRemove: () => void;
  onReset: () => void;
  onGroups: () => void;
}) {
  const { user } = props;
  const me = useMe();
  const resettable = useLocalAccounts() && user.local && user.disabled_at === null;
  const self = me.user.id === user.id;
  const disabled = user.disabled_at !== null;
  const label = userLabel(user);
  return (
    <Course
      title={label}
      dim={disabled}
      marks={
        <>
          {self && <Tag>you</Tag>}
          {user.admin && <Tag>admin</Tag>}
          {user.local && <Tag>local account</Tag>}
          {disabled && (
            <Mark tone="off">
              Disabled <Moment at={user.disabled_at} />
            </Mark>
          )}
        </>
      }
      facts={[
        ['Email', user.email ?? 'not told'],
        ['Seen', <Moment key="s" at={user.seen_at} />],
        ['Groups', user.groups.length === 0 ? 'none' : user.groups.join(', ')],
      ]}
      actions={
        self ? undefined : (
          <>
            <Button
              onClick={() => props.onAdmin(!user.admin)}
              aria-label={`${user.admin ? 'Not admin' : 'Make admin'}: ${label}`}
            >
              {user.admin ? 'Not admin' : 'Make admin'}
            </Button>
            <Button
              onClick={disabled ? props.onEnable : props.onDisable}
              aria-label={`${disabled ? 'Enable' : 'Disable'} ${label}`}
            >
              {disabled ? 'Enable' : 'Disable'}
            </Button>
            {user.local && (
              <Button onClick={props.onGroups} aria-label={`Groups of ${label}`}>
                Groups
              </Button>
            )}
            {resettable && (
              <Button onClick={props.onReset} aria-label={`New password for ${label}`}>
                New password
              </Button>
            )}
            <Button onClick={props.onRemove} aria-label={`Remove ${label}`}>
              Remove
            </Button>
          </>
        )
      }
    />
  );
}
