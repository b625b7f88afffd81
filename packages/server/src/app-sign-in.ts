import type { Config } from './config/types.ts';
import { createAgentLoginStore } from './identity/agent-login-store.ts';
import { createAgentLogins } from './identity/agent-logins.ts';
import { createLocalSignIn } from './identity/local-sign-in.ts';
import { createLogout } from './identity/logout.ts';
import { createLogoutTokens } from './identity/logout-token.ts';
import { createCookie } from './identity/session-cookie.ts';
import { createSignIn } from './identity/sign-in.ts';
import { createSignInStore } from './identity/sign-in-store.ts';
import { createUserRemoval } from './identity/user-removal.ts';
import type { Db } from './platform/db/db.ts';
import type { Runtime } from './platform/runtime.ts';
import { createTerminalStore } from './terminals/terminal-store.ts';
import { createTunnelStore } from './tunnels/tunnel-store.ts';
import type { Vault } from './vault/vault.ts';

type SignInDeps = Parameters<typeof createSignIn>[0];
type LocalDeps = Parameters<typeof createLocalSignIn>[0];
type RemovalDeps = Parameters<typeof createUserRemoval>[0];
type LogoutDeps = Parameters<typeof createLogout>[0];
type AgentDeps = Parameters<typeof createAgentLogins>[0];
type TokenDeps = Parameters<typeof createLogoutTokens>[0];

/** How people come in and go: at providers, with a password, by a link; out again, and for good. */
export function joinSignIn(
  deps: Omit<SignInDeps, 'store' | 'storeGrant' | 'endGrant' | 'cookie'> &
    Omit<LocalDeps, 'rates' | 'now'> &
    Omit<RemovalDeps, 'invitations' | 'grantsOf' | 'endGrant' | 'terminalsOf' | 'tunnelsOf'> &
    Omit<LogoutDeps, 'logoutTokens' | 'endGrant'> &
    Omit<AgentDeps, 'store'> &
    TokenDeps & {
      runtime: Pick<Runtime, 'monotonic'>;
      db: Db;
      vault: Pick<Vault, 'storeGrant' | 'endGrant' | 'grantsOf'>;
      config: Config;
    },
) {
  const { db, vault, config, runtime, ...common } = deps;
  const { storeGrant, endGrant } = vault;
  const signIns = createSignInStore(db);
  const local = createLocalSignIn({
    ...common,
    db,
    runtime,
    rates: config.rates.password,
    now: () => runtime.monotonic(),
  });
  const logoutTokens = createLogoutTokens({ ...common, runtime });
  return {
    ...local,
    agentLogins: createAgentLogins({ ...common, runtime, store: createAgentLoginStore(db) }),
    signIns,
    signIn: createSignIn({
      ...common,
      runtime,
      store: signIns,
      storeGrant,
      endGrant,
      cookie: createCookie('sallyport_sign_in', config.publicUrl),
    }),
    removal: createUserRemoval({
      ...common,
      ...vault,
      invitations: local.invitations,
      terminalsOf: createTerminalStore(db).countOf,
      tunnelsOf: createTunnelStore(db, runtime).countOf,
    }),
    logout: createLogout({ ...common, logoutTokens, endGrant }),
  };
}
