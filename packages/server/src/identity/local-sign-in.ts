import { type AdminLinks, createAdminLinks } from './admin-link.ts';
import { createAdminLinkStore } from './admin-link-store.ts';
import { createInvitationStore } from './invitation-store.ts';
import { createInvitations, type Invitations } from './invitations.ts';
import { createLocalAccountStore } from './local-account-store.ts';
import { createLocalAccounts, type LocalAccounts } from './local-accounts.ts';
import { createPasswordHashing } from './password-hash.ts';

type Own = 'store' | 'accounts' | 'hashing';
type Deps = Omit<Parameters<typeof createLocalAccounts>[0], Own> &
  Omit<Parameters<typeof createInvitations>[0], Own> &
  Omit<Parameters<typeof createAdminLinks>[0], Own>;

/**
 * The ways in without a provider, joined: the first admin's link, accounts, and the links to them. They share one store, and one limit on how
 * many passwords are hashed at a time.
 */
export function createLocalSignIn(deps: Deps & { db: Parameters<typeof createInvitationStore>[0] }): {
  adminLinks: AdminLinks;
  localAccounts: LocalAccounts;
  invitations: Invitations;
} {
  const accounts = createLocalAccountStore(deps.db, deps.runtime);
  const hashing = createPasswordHashing(deps);
  return {
    adminLinks: createAdminLinks({ ...deps, store: createAdminLinkStore(deps.db) }),
    localAccounts: createLocalAccounts({ ...deps, store: accounts, hashing }),
    invitations: createInvitations({ ...deps, store: createInvitationStore(deps.db), accounts, hashing }),
  };
}
