import { newToken, sha256 } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { type Audit, commandLine } from '../terms/audit.ts';
import type { AdminLinkStore } from './admin-link-store.ts';
import type { Sessions } from './sessions.ts';
import type { Departure, Visitor } from './sign-in.ts';
import { LOCAL_ISSUER, type UserStore } from './user-store.ts';

const LIFETIME = 15 * 60_000;
const SUBJECT = 'admin';

export interface AdminLinks {
  /**
   * The link that signs the first admin in, for the terminal and for nothing else: it works once, for 15 minutes. Null when there
   * is an admin already. The one URL of ours with a secret that servers see: nobody can sign in yet who could be shown it any other way.
   */
  create(): Promise<string | null>;
  /** @throws AppError `gone` for a link that was used, replaced or is too old */
  use(token: string, visitor: Visitor): Promise<Departure>;
}

/** How the first admin comes in where no provider is configured. */
export function createAdminLinks(deps: {
  store: AdminLinkStore;
  users: Pick<UserStore, 'hasAdmin' | 'recognize' | 'makeAdmin'>;
  sessions: Pick<Sessions, 'begin' | 'endOfCookies'>;
  publicUrl: URL;
  runtime: Pick<Runtime, 'random'>;
  audit: Audit;
}): AdminLinks {
  const { store, users, sessions, publicUrl, runtime, audit } = deps;

  return {
    async create() {
      if (await users.hasAdmin()) return null;
      const token = newToken(runtime);
      await store.replace(sha256(token), LIFETIME);
      audit.record({ action: 'admin-link.create', ...commandLine });
      return `${publicUrl.origin}/auth/first-admin?token=${token}`;
    },

    async use(token, visitor) {
      const { address, userAgent } = visitor;
      if (!(await store.use(sha256(token)))) {
        audit.record({
          action: 'sign-in.refused',
          userId: null,
          credentialId: null,
          address,
          detail: { provider: null, reason: 'admin_link' },
        });
        throw new AppError(
          'gone',
          'This link was used or is too old. Restart Sallyport: while there is no admin it prints a new one.',
        );
      }
      const person = {
        issuer: LOCAL_ISSUER,
        subject: SUBJECT,
        email: null,
        emailVerified: false,
        name: 'Admin',
      };
      const { id: userId, isNew } = await users.recognize(person);
      const by = { userId, credentialId: 'admin-link', address };
      if (isNew) audit.record({ action: 'user.create', ...by, target: userId });
      await users.makeAdmin(userId);
      audit.record({ action: 'user.make-admin', ...by, target: userId });
      await sessions.endOfCookies(visitor.cookies, by);
      const none = { grantId: null, provider: null, providerSid: null, subject: null };
      const { setCookie } = await sessions.begin({ ...none, userId, address, userAgent, how: 'admin-link' });
      return { location: '/', setCookies: [setCookie] };
    },
  };
}
