import type { Bus } from '../platform/bus.ts';
import type { Lookups } from '../platform/cache.ts';
import { newId, newToken, sha256 } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { type Actor, type Audit, commandLine } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Key, KeyStore } from './key-store.ts';
import { type Loaded, PrincipalCache } from './principal-cache.ts';
import { credentialRefused } from './refusal.ts';
import type { UserStore } from './user-store.ts';

/** What every gateway key begins with; secret scanners and people know it by that. */
export const KEY_PREFIX = 'sp_';

/** The prefix and 256 bits in base64url. */
const KEY = /^sp_[A-Za-z0-9_-]{43}$/;

export interface NewKey {
  readonly userId: string;
  readonly name: string;
  /** Whether the key carries its user's admin rights; it can carry no more than the user has. */
  readonly admin: boolean;
  /** Upstream ids; null for all that the user may use. */
  readonly scope: readonly string[] | null;
  /** Epoch milliseconds; null for never. */
  readonly expiresAt: number | null;
}

/** Gateway keys: the credential a person gives to their programs. Shown once, stored as a SHA-256. */
export function createKeys(deps: {
  store: KeyStore;
  users: Pick<UserStore, 'get'>;
  runtime: Pick<Runtime, 'now' | 'random'>;
  bus: Bus;
  audit: Audit;
  lookups?: Lookups;
}) {
  const { store, users, runtime, bus, audit } = deps;
  const cache = new PrincipalCache(runtime, deps.lookups);
  bus.subscribe(notice => {
    if (notice.topic === 'key-revoked') cache.forget(principal => principal.credentialId === notice.keyId);
    if (notice.topic === 'user-changed') cache.forget(principal => principal.userId === notice.userId);
  });

  /** One answer for unknown, revoked, expired and disabled: a guesser learns nothing from it. */
  const refused = () => credentialRefused('The gateway key is not valid: unknown, revoked or expired.');

  async function load(hash: string): Promise<Loaded> {
    const found = await store.find(hash);
    if (found === null) throw refused();
    const { key, stale } = found;
    const user = await users.get(key.userId);
    if (user === null || user.disabledAt !== null) throw refused();
    // On a full disk people still get in; only "last used" stays behind.
    if (stale) await store.touch(key.id).catch(() => {});
    const principal: Principal = Object.freeze({
      userId: user.id,
      email: user.email,
      name: user.name,
      groups: user.groups,
      admin: key.admin && user.admin,
      proof: 'key',
      credentialId: key.id,
      grantId: null,
      scope: key.scope,
    });
    return { principal, expiresAt: key.expiresAt ?? Number.POSITIVE_INFINITY };
  }

  return {
    /** @throws AppError `unauthenticated`; synchronously or as a rejection */
    authenticate(value: string): Principal | Promise<Principal> {
      if (!KEY.test(value)) throw refused();
      const hash = sha256(value);
      return cache.lookup(hash, () => load(hash));
    },

    /**
     * Makes a key. Its value is in the answer and never to be had again.
     * @throws AppError `not_found` without such a user, `conflict` for a disabled user or an admin key of somebody who is
     *   no admin, `bad_request` for an expiry that is past
     */
    async create(wanted: NewKey, by: Actor = commandLine): Promise<{ id: string; key: string }> {
      const user = await users.get(wanted.userId);
      if (user === null) throw new AppError('not_found', 'There is no such user.');
      if (user.disabledAt !== null) throw new AppError('conflict', 'This user is disabled.');
      if (wanted.admin && !user.admin) {
        throw new AppError('conflict', 'An admin key needs a user who is an admin.');
      }
      if (wanted.expiresAt !== null && wanted.expiresAt <= runtime.now()) {
        throw new AppError('bad_request', 'The key would expire in the past.');
      }
      const id = newId(runtime, 'key');
      const key = KEY_PREFIX + newToken(runtime);
      await store.insert({ ...wanted, id, hash: sha256(key) });
      bus.publish({ topic: 'key-created', userId: user.id });
      audit.record({
        action: 'key.create',
        ...by,
        target: id,
        detail: { user: user.id, admin: wanted.admin, scoped: wanted.scope !== null },
      });
      return { id, key };
    },

    get: (id: string): Promise<Key | null> => store.get(id),

    list: (userId: string): Promise<Key[]> => store.list(userId),

    /**
     * Ends a key: at once in this process, within seconds in others.
     * @returns whether there was one to end
     */
    async revoke(id: string, by: Actor = commandLine): Promise<boolean> {
      const key = await store.revoke(id);
      if (key === null) return false;
      bus.publish({ topic: 'key-revoked', keyId: id, userId: key.userId });
      audit.record({ action: 'key.revoke', ...by, target: id, detail: { user: key.userId } });
      return true;
    },
  };
}

export type Keys = ReturnType<typeof createKeys>;
