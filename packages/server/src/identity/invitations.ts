import type { Bus } from '../platform/bus.ts';
import { newId, newToken, sha256 } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Invitation, InvitationStore } from './invitation-store.ts';
import type { LocalAccountStore } from './local-account-store.ts';
import type { PasswordHashing } from './password-hash.ts';
import { refuseWeakPassword } from './password-rules.ts';
import type { Sessions } from './sessions.ts';
import type { Visitor } from './sign-in.ts';

const DAY = 24 * 60 * 60_000;
/** Of an invitation to a new account. */
const INVITATION = 7 * DAY;
/** Of a link to a new password: it takes an account over, so it lives for a day. */
const PASSWORD_LINK = DAY;

/** The link is in this answer and never to be had again. */
export interface Minted {
  readonly invitation: Invitation;
  /** With the secret in its fragment, which browsers send to nobody (RFC 3986 section 3.5): no log of any server holds it. */
  readonly link: string;
}

export interface Invitations {
  /** @param principal null: at the command line. @throws AppError `conflict` when somebody already signs in who has this address, `forbidden` for a program's credential */
  invite(
    wanted: Pick<Invitation, 'email' | 'name' | 'groups' | 'admin'>,
    principal: Principal | null,
    by: Actor,
  ): Promise<Minted>;
  /** A new password for a person who forgot theirs. @throws AppError as `invite`, and `not_found` */
  passwordLink(userId: string, principal: Principal | null, by: Actor): Promise<Minted>;
  list(): Promise<Invitation[]>;
  /** How many links a user gave that are still open. */
  countBy(userId: string): Promise<number>;
  /** @returns whether there was one */
  revoke(id: string, by: Actor): Promise<boolean>;
  /** What a link leads to. @throws AppError `gone` for one that is spent, withdrawn, over, or was never ours: which of these is not told */
  open(secret: string): Promise<Invitation>;
  /**
   * Makes the account, or sets the password; the link is spent by it, once whoever comes.
   * @returns the `Set-Cookie` line of a new session
   * @throws AppError `gone`, `conflict`, and `bad_request` for a weak password, which spends nothing
   */
  accept(
    secret: string,
    chosen: { password: string; name: string | undefined },
    visitor: Visitor,
  ): Promise<string>;
  purge(): Promise<number>;
}

/** Links that an admin passes on: to an account here, or to a new password for one. */
export function createInvitations(deps: {
  store: InvitationStore;
  accounts: LocalAccountStore;
  sessions: Pick<Sessions, 'begin' | 'endOfCookies' | 'endAllOf'>;
  hashing: PasswordHashing;
  publicUrl: URL;
  bus: Pick<Bus, 'publish'>;
  runtime: Pick<Runtime, 'random'>;
  audit: Audit;
}): Invitations {
  const { store, accounts, sessions, hashing, publicUrl, bus, runtime, audit } = deps;

  async function mint(
    invitation: Omit<Invitation, 'id' | 'createdAt' | 'expiresAt'>,
    lifetime: number,
  ): Promise<Minted> {
    const secret = newToken(runtime);
    const id = newId(runtime, 'inv');
    const minted = await store.replace({ ...invitation, id, hash: sha256(secret) }, lifetime);
    bus.publish({ topic: 'invitations-changed' });
    return { invitation: minted, link: `${publicUrl.origin}/invite#${secret}` };
  }

  async function open(secret: string): Promise<Invitation> {
    const invitation = await store.byHash(sha256(secret));
    if (invitation === null) throw gone();
    return invitation;
  }

  return {
    async invite({ email, name, groups, admin }, principal, by) {
      refuseProgram(principal);
      if (await accounts.isTaken(email)) throw taken();
      const invitedBy = principal?.userId ?? null;
      const minted = await mint({ userId: null, email, name, groups, admin, invitedBy }, INVITATION);
      const detail = { email, admin, groups: groups.join(', ') };
      audit.record({ action: 'invitation.create', ...by, target: minted.invitation.id, detail });
      return minted;
    },

    async passwordLink(userId, principal, by) {
      refuseProgram(principal);
      const account = await accounts.of(userId);
      if (account === null) throw new AppError('not_found', 'They have no password here.');
      if (account.disabled) throw new AppError('conflict', 'They are disabled; enable them first.');
      const { email, name } = account;
      const about = { userId, email, name, groups: [], admin: false, invitedBy: principal?.userId ?? null };
      const minted = await mint(about, PASSWORD_LINK);
      audit.record({ action: 'password-link.create', ...by, target: userId });
      return minted;
    },

    list: store.list,
    countBy: store.countBy,

    async revoke(id, by) {
      if (!(await store.revoke(id))) return false;
      bus.publish({ topic: 'invitations-changed' });
      audit.record({ action: 'invitation.revoke', ...by, target: id });
      return true;
    },

    open,

    async accept(secret, { password, name }, visitor) {
      const { address, userAgent } = visitor;
      const found = await open(secret);
      refuseWeakPassword(password, { email: found.email, name: name ?? found.name });
      // Outside of the transaction, which holds the database's one pen while it lasts.
      const passwordHash = await hashing.hash(password);
      const spent = await store.spend(sha256(secret), async (invitation, tx) => {
        const { id, userId, email, groups, admin } = invitation;
        if (userId !== null) {
          await accounts.setPassword(userId, passwordHash, tx);
          return { id, userId, isReset: true, isNew: false };
        }
        const wanted = { email, name: name ?? invitation.name, groups, admin, passwordHash };
        const made = await accounts.create(tx, wanted);
        if (made === null) throw taken();
        return { id, isReset: false, ...made };
      });
      if (spent === null) throw gone();
      const { id, userId, isReset, isNew } = spent;
      const by = { userId, credentialId: id, address };
      bus.publish({ topic: 'user-changed', userId });
      bus.publish({ topic: 'invitations-changed' });
      if (isReset) audit.record({ action: 'password.set', ...by, target: userId, detail: { how: 'link' } });
      else audit.record({ action: 'invitation.accept', ...by, target: id, detail: { user: userId } });
      if (isNew) audit.record({ action: 'user.create', ...by, target: userId });
      if (isReset) await sessions.endAllOf(userId, by, 'password-set');
      await sessions.endOfCookies(visitor.cookies, by);
      const none = { grantId: null, provider: null, providerSid: null, subject: null };
      const how = isReset ? 'password-link' : 'invitation';
      return (await sessions.begin({ ...none, userId, address, userAgent, how })).setCookie;
    },

    purge: store.purge,
  };
}

/** A program's credential, if it leaked, must not be able to make itself a second life as a person. */
function refuseProgram(principal: Principal | null): void {
  const proof = principal?.proof;
  if (proof === undefined || proof === 'session' || proof === 'proxy-header') return;
  throw new AppError('forbidden', 'People are invited in a signed-in session, not with a key or token.');
}

const gone = (): AppError =>
  new AppError('gone', 'This link was used, withdrawn, or has run out. Ask whoever sent it for a new one.');

const taken = (): AppError =>
  new AppError('conflict', 'Somebody already signs in here who has this address. They can go on as they do.');
