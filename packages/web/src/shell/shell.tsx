import { type ReactNode, useEffect, useState } from 'react';
import { api } from '../api/client.ts';
import { Button } from '../design/button.tsx';
import { Wordmark } from '../design/glyph.tsx';
import { useAct } from '../live/act.ts';
import { pauseLive, resumeLive, startLive } from '../live/events.ts';
import { Link, leave, usePath } from '../router/router.tsx';
import { signInPath, useMe } from '../session/me.tsx';
import { LiveMark } from './live-mark.tsx';
import { ThemeToggle } from './theme-toggle.tsx';
import './shell.css';

const MINE = [
  ['/', 'Upstreams I may use'],
  ['/terminal', 'Terminals'],
  ['/recordings', 'Recordings'],
  ['/tunnels', 'Tunnels'],
  ['/account', 'My account'],
] as const;

const ADMIN = [
  ['/admin/users', 'Users'],
  ['/admin/upstreams', 'Upstreams'],
  ['/admin/providers', 'Providers'],
  ['/admin/audit', 'Audit'],
  ['/admin/health', 'Health'],
] as const;

const toSignIn = () => location.replace(signInPath());

/** What stands around every page of someone signed in. */
export function Shell({ children }: { children: ReactNode }) {
  const me = useMe();
  const path = usePath();
  const [open, setOpen] = useState(false);
  useEffect(() => startLive(toSignIn), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page closes the menu
  useEffect(() => setOpen(false), [path]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to the page
      </a>
      <header className={open ? 'wall open' : 'wall'}>
        <div className="wall-top">
          <Link to="/" className="wall-home" aria-label="Sallyport, home">
            <Wordmark />
          </Link>
          <button
            type="button"
            className="button plain wall-menu"
            aria-expanded={open}
            aria-controls="menu"
            onClick={() => setOpen(!open)}
          >
            Menu
          </button>
        </div>
        <div className="wall-rest" id="menu">
          <nav aria-label="Console">
            <NavList links={MINE} path={path} />
            {me.user.admin && (
              <>
                <p className="nav-title" id="nav-admin">
                  Admin
                </p>
                <NavList links={ADMIN} path={path} labelledBy="nav-admin" />
              </>
            )}
          </nav>
          <WhoAmI />
        </div>
      </header>
      <main id="content" className="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function NavList(props: {
  links: readonly (readonly [string, string])[];
  path: string;
  labelledBy?: string;
}) {
  const { links, path } = props;
  return (
    <ul className="nav" aria-labelledby={props.labelledBy}>
      {links.map(([to, name]) => (
        <li key={to}>
          <Link to={to} aria-current={path === to ? 'page' : undefined}>
            {name}
          </Link>
        </li>
      ))}
    </ul>
  );
}

function WhoAmI() {
  const me = useMe();
  const act = useAct();
  const signOut = () =>
    act.run(async () => {
      // The end of this session, told by its own stream, must not overtake the way to the provider's sign-out.
      pauseLive();
      try {
        leave((await api.post<{ redirect: string }>('/auth/logout')).redirect);
      } catch (error) {
        resumeLive();
        throw error;
      }
    });
  return (
    <div className="whoami">
      <LiveMark />
      <p className="whoami-name">
        {me.user.name ?? me.user.email ?? me.user.id}
        {me.user.name !== null && me.user.email !== null && <span>{me.user.email}</span>}
      </p>
      <div className="whoami-acts">
        <Button busy={act.busy} onClick={() => void signOut()}>
          Sign out
        </Button>
        <ThemeToggle />
      </div>
      {act.error !== null && <p role="alert">{act.error.message}</p>}
      <p className="small muted">
        {me.gateway.name} {me.gateway.version}
      </p>
    </div>
  );
}
