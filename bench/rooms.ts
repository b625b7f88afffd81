import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyStore } from '../packages/server/src/identity/key-store.ts';
import { createKeys } from '../packages/server/src/identity/keys.ts';
import { sessionCookie } from '../packages/server/src/identity/session-cookie.ts';
import { createSessionStore } from '../packages/server/src/identity/session-store.ts';
import { createSessions } from '../packages/server/src/identity/sessions.ts';
import { createUserStore } from '../packages/server/src/identity/user-store.ts';
import { createBus } from '../packages/server/src/platform/bus.ts';
import { openDatabase } from '../packages/server/src/platform/db/db.ts';
import { migrate } from '../packages/server/src/platform/db/migrate.ts';
import { createLog } from '../packages/server/src/platform/log.ts';
import { systemRuntime } from '../packages/server/src/platform/runtime.ts';
import { createGrantStore } from '../packages/server/src/vault/grant-store.ts';
import { loadKeyring } from '../packages/server/src/vault/keyring.ts';
import { createRefresh } from '../packages/server/src/vault/refresh.ts';
import { createSealer } from '../packages/server/src/vault/seal.ts';
import type { TokenEndpoint } from '../packages/server/src/vault/token-endpoint.ts';
import { createVault } from '../packages/server/src/vault/vault.ts';

export const PROVIDER = 'bench';
export const PUBLIC_URL = 'http://localhost:8080';
/** Of a real sign-in: 1.9 KB, as an issuer with some groups makes it. */
export const ACCESS_TOKEN = `eyJ${'a'.repeat(1_897)}`;

/**
 * The gateway's own rooms over a database in a folder, to seed what the gateway's process then serves, and to measure what goes on
 * in one process. Never a second implementation: everything here is the product's.
 */
export async function openRooms(folder: string, options: { endpoint?: TokenEndpoint } = {}) {
  mkdirSync(folder, { recursive: true });
  const runtime = systemRuntime;
  const log = createLog({ level: 'error' });
  const database = openDatabase({ dialect: 'sqlite', path: join(folder, 'sallyport.db') }, runtime);
  await migrate(database);
  const { db } = database;
  const bus = createBus();
  const audit = { record() {} };
  const users = createUserStore(db, runtime);
  const keys = createKeys({ store: createKeyStore(db), users, runtime, bus, audit });
  const limits = { idle: 86_400_000, absolute: 864_000_000 };
  const sessions = createSessions({
    store: createSessionStore(db, limits),
    cookie: sessionCookie(new URL(PUBLIC_URL)),
    limits,
    bus,
    audit,
    runtime,
  });
  const sealer = createSealer(loadKeyring({ keys: [], dataDir: folder, runtime, log }), runtime);
  const grants = createGrantStore(db);
  const endpoint = options.endpoint ?? unreachable;
  const refresh = createRefresh({
    store: grants,
    sealer,
    endpoint,
    runtime,
    log,
    changed: ({ id, userId }) => bus.publish({ topic: 'grant-changed', grantId: id, userId }),
  });
  const vault = createVault({
    store: grants,
    sealer,
    refresh,
    endpoint,
    runtime,
    bus,
    audit,
    log,
    providers: { list: () => [] },
    config: {
      publicUrl: new URL(PUBLIC_URL),
      forwarding: { enabled: true, services: ['openai', 'tools', 'mcp', 'terminals'] },
    },
  });

  /** A user with a grant, signed in. @returns the `Cookie` header's value, and ids */
  async function signedIn(name: string, expiresIn = 86_400) {
    const user = await users.recognize({
      issuer: 'http://127.0.0.1:9',
      subject: name,
      email: `${name}@bench.example`,
      emailVerified: true,
      name,
      groups: ['engineering'],
    });
    const grantId = await vault.storeGrant({
      userId: user.id,
      provider: PROVIDER,
      subject: name,
      kind: 'sign-in',
      tokens: { access_token: ACCESS_TOKEN, refresh_token: `refresh-${name}-0`, expires_in: expiresIn },
      address: null,
    });
    const none = { providerSid: null, subject: null, address: null, userAgent: null };
    const session = await sessions.begin({
      userId: user.id,
      grantId,
      provider: PROVIDER,
      how: 'provider',
      ...none,
    });
    return { userId: user.id, grantId, cookie: session.setCookie.split(';')[0]! };
  }

  return {
    runtime,
    log,
    db,
    bus,
    audit,
    users,
    keys,
    sessions,
    sealer,
    grants,
    vault,
    signedIn,
    async [Symbol.asyncDispose]() {
      await refresh[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

export type Rooms = Awaited<ReturnType<typeof openRooms>>;

/** For whoever seeds tokens that stay good. */
const unreachable: TokenEndpoint = {
  async open() {
    throw new Error('nothing here refreshes');
  },
};
