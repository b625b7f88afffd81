import type { OwnPassword } from '../../api/types.ts';
import { Note } from '../../design/state.tsx';
import { useResource } from '../../live/resource.ts';
import { Link } from '../../router/router.tsx';
import { useLocalAccounts, useMe } from '../../session/me.tsx';

/** For who came by a link that works once: without a password they would not come in again. */
export function ComeBack() {
  const local = useMe().user.local;
  return useLocalAccounts() && local ? <UnlessPassword /> : null;
}

function UnlessPassword() {
  const { data } = useResource<OwnPassword>('/api/v1/password', ['users']);
  if (data === null || data.email !== null || !data.may_have) return null;
  return (
    <Note tone="warn">
      <p>
        You came by a link that works once. <Link to="/account">Set a password</Link> before you go, so that
        you can sign in again.
      </p>
    </Note>
  );
}
