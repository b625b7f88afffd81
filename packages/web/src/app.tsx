import { type ComponentType, lazy, type ReactNode, Suspense } from 'react';
import { Loading, NotFound } from './design/state.tsx';
import { Announcer } from './live/announce.tsx';
import { AccountPage } from './pages/account/account-page.tsx';
import { AuditPage } from './pages/admin/audit/audit-page.tsx';
import { HealthPage } from './pages/admin/health/health-page.tsx';
import { ProvidersPage } from './pages/admin/providers/providers-page.tsx';
import { UpstreamsPage } from './pages/admin/upstreams/upstreams-page.tsx';
import { UsersPage } from './pages/admin/users/users-page.tsx';
import { AgentLoginPage } from './pages/agent-login/agent-login-page.tsx';
import { HomePage } from './pages/home/home-page.tsx';
import { InvitePage } from './pages/sign-in/invite-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';
import { TOOLS_PATH, ToolsPage } from './pages/tools/tools-page.tsx';
import { TunnelsPage } from './pages/tunnels/tunnels-page.tsx';
import { usePath } from './router/router.tsx';
import { SignedIn, useMe } from './session/me.tsx';
import { Page } from './shell/page.tsx';
import { Shell } from './shell/shell.tsx';

/** The terminal is as large as all the rest together: it is fetched by those who open one. */
const TerminalsPage = lazy(() => import('./pages/terminals/terminals-page.tsx'));
const RecordingsPage = lazy(() => import('./pages/recordings/recordings-page.tsx'));

/** Every page of the console. */
const PAGES: Record<string, { page: ComponentType; admin?: boolean }> = {
  '/': { page: HomePage },
  '/terminal': { page: TerminalsPage },
  '/recordings': { page: RecordingsPage },
  '/account': { page: AccountPage },
  '/tunnels': { page: TunnelsPage },
  '/agent-login': { page: AgentLoginPage },
  '/admin/users': { page: UsersPage, admin: true },
  '/admin/providers': { page: ProvidersPage, admin: true },
  '/admin/upstreams': { page: UpstreamsPage, admin: true },
  '/admin/audit': { page: AuditPage, admin: true },
  '/admin/health': { page: HealthPage, admin: true },
};

export function App() {
  const path = usePath();
  return (
    <>
      {route(path)}
      <Announcer />
    </>
  );
}

function route(path: string): ReactNode {
  if (path === '/sign-in') return <SignInPage />;
  if (path === '/invite') return <InvitePage />;
  return (
    <SignedIn>
      <Shell>
        <SignedInPage key={path} path={path} />
      </Shell>
    </SignedIn>
  );
}

function SignedInPage({ path }: { path: string }) {
  const me = useMe();
  const found = path.startsWith(TOOLS_PATH) ? { page: ToolsPage } : PAGES[path];
  if (found === undefined) {
    return (
      <Page title="Not found">
        <NotFound />
      </Page>
    );
  }
  // The gateway refuses the calls behind such a page anyway; this only says it better.
  if (found.admin === true && !me.user.admin) {
    return (
      <Page title="For admins">
        <p>Only admins see this page. Ask one of yours for what you need.</p>
      </Page>
    );
  }
  return (
    <Suspense fallback={<Loading />}>
      <found.page />
    </Suspense>
  );
}
