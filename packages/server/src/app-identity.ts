import type { Config } from './config/types.ts';
import type { createLookups } from './http/gateway-metrics.ts';
import { createIdentity } from './identity/identity.ts';
import { createJwts } from './identity/jwt.ts';
import { createKeyStore } from './identity/key-store.ts';
import { createKeys } from './identity/keys.ts';
import { createProxyHeader } from './identity/proxy-header.ts';
import { sessionCookie } from './identity/session-cookie.ts';
import { createSessionStore } from './identity/session-store.ts';
import { createSessions } from './identity/sessions.ts';
import { createStanding } from './identity/standing.ts';
import { createUserStore } from './identity/user-store.ts';
import type { Db } from './platform/db/db.ts';

type Shared = Omit<Parameters<typeof createJwts>[0], 'users' | 'issuers' | 'lookups'> &
  Omit<Parameters<typeof createKeys>[0], 'users' | 'store' | 'lookups'>;

/** Who somebody is: people, and everything that can prove to be one. */
export function joinIdentity(
  deps: Shared & { db: Db; config: Config; lookups: ReturnType<typeof createLookups> },
) {
  const { db, config, lookups, runtime, bus, audit } = deps;
  const users = createUserStore(db, runtime);
  const keyStore = createKeyStore(db);
  const common = { ...deps, users };
  const keys = createKeys({ ...common, store: keyStore, lookups: lookups.key });
  const jwts = createJwts({ ...common, issuers: config.auth.jwt, lookups: lookups.jwt });
  const header = config.auth.proxyHeader;
  const proxyHeader = header && createProxyHeader({ ...common, header, lookups: lookups['proxy-header'] });
  const sessions = createSessions({
    store: createSessionStore(db, config.session),
    cookie: sessionCookie(config.publicUrl),
    limits: config.session,
    bus,
    audit,
    lookups: lookups.session,
    runtime,
  });
  return {
    users,
    keyStore,
    keys,
    sessions,
    identity: createIdentity({ keys, jwts, sessions, proxyHeader, auth: config.auth }),
    standing: createStanding({ users, sessions, keys, runtime }),
  };
}
