import { createContext, type ReactNode, useContext } from 'react';
import type { Me } from '../api/types.ts';
import { Failure } from '../design/state.tsx';
import { useResource } from '../live/resource.ts';
import { Elsewhere } from './elsewhere.tsx';

const MeContext = createContext<Me | null>(null);

/** Shows its children to someone who is signed in; takes everybody else to the sign-in page, and back afterwards. */
export function SignedIn({ children }: { children: ReactNode }) {
  const me = useResource<Me>('/api/v1/me', ['users']);
  if (me.error?.status === 401) return <Elsewhere to={signInPath()} />;
  if (me.data !== null) return <MeContext value={me.data}>{children}</MeContext>;
  if (me.error === null) return null;
  return (
    <main className="alone">
      <h1>The console cannot reach its gateway</h1>
      <Failure error={me.error} retry={me.reload} />
    </main>
  );
}

/** Who is signed in. Only inside `SignedIn`. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === null) throw new Error('useMe outside of SignedIn');
  return me;
}

/** Whether people may be invited to accounts with a password here. */
export function useLocalAccounts(): boolean {
  return useMe().gateway.local_accounts;
}

/** The sign-in page that leads back to what is on show now. */
export function signInPath(): string {
  const here = location.pathname + location.search;
  return here === '/' ? '/sign-in' : `/sign-in?return_to=${encodeURIComponent(here)}`;
}
