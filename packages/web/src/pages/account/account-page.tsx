import { useLocalAccounts, useMe } from '../../session/me.tsx';
import { Page } from '../../shell/page.tsx';
import { Grants } from './grants.tsx';
import { Keys } from './keys.tsx';
import { Password } from './password.tsx';
import { Sessions } from './sessions.tsx';

export function AccountPage() {
  const { user } = useMe();
  const local = useLocalAccounts() && user.local;
  const groups = user.groups.length === 0 ? '' : `, in ${user.groups.join(', ')}`;
  return (
    <Page
      title="My account"
      lead={`${user.email ?? user.name ?? user.id}${user.admin ? ', admin' : ''}${groups}`}
    >
      <Keys />
      <Grants />
      {local && <Password />}
      <Sessions />
    </Page>
  );
}
