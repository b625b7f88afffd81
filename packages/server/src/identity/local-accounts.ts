import { networkOf } from '../platform/client-address.ts';
import { sha256 } from '../platform/crypto.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { createRateLimit, type Rate } from '../platform/rate-limit.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { LocalAccountStore } from './local-account-store.ts';
import type { PasswordHashing } from './password-hash.ts';
import { refuseWeakPassword } from './password-rules.ts';
import type { Sessions } from './sessions.ts';
import type { Visitor } from './sign-in.ts';
import type { UserStore } from './user-store.ts';

/** All addresses together may try one account so many times more than one of them: many machines guess at once, a person sits at few. */
const ALL_ADDRESSES = 5;

export interface LocalAccounts {
  /**
   * A session for whoever knows the password. Every refusal is the same answer after the same work: nobody learns who has an account.
   * @returns the `Set-Cookie` line
   * @throws AppError `unauthenticated`, `rate_limited`, `unavailable`
   */
  signIn(credentials: { email: string; password: string }, visitor: Visitor): Promise<string>;
  /** What a person sees of their own password: since when there is one. Null: they have none, `mayHave` says whether they may. */
  of(userId: string): Promise<{ email: string | null; changedAt: number | null; mayHave: boolean }>;
  /**
   * A person changes their own, or sets their first one (the first admin, who then says with which address). All their other sessions end.
   * @throws AppError `forbidden` for a wrong current password and for who is not signed in by a session, `conflict`, `bad_request`, `rate_limited`
   */
  setOwn(principal: Principal, wanted: WantedPassword, by: Actor): Promise<void>;
}

export interface WantedPassword {
  readonly password: string;
  readonly currentPassword: string | undefined;
  /** Only with the first one. */
  readonly email: string | undefined;
}

/** Accounts of people who have no provider: an address and a password. */
export function createLocalAccounts(deps: {
  store: LocalAccountStore;
  users: Pick<UserStore, 'get' | 'saw'>;
  sessions: Pick<Sessions, 'begin' | 'endOfCookies' | 'endAllOf'>;
  hashing: PasswordHashing;
  rates: { readonly address: Rate | null; readonly account: Rate | null };
  /** Monotonic milliseconds. */
  now(): number;
  audit: Audit;
  log: Logger;
}): LocalAccounts {
  const { store, users, sessions, hashing, rates, now, audit, log } = deps;
  const byAddress = rates.address === null ? null : createRateLimit(rates.address, now);
  const byAccount = rates.account === null ? null : createRateLimit(rates.account, now);
  const byAccountAnywhere =
    rates.account === null
      ? null
      : createRateLimit({ ...rates.account, burst: rates.account.burst * ALL_ADDRESSES }, now);

  /** Before any work is done, and for addresses that nobody has as for others. */
  function count(email: string, address: string | null): void {
    const network = networkOf(address ?? '');
    byAddress?.take(network);
    // An address may be long, and is written by anybody: its digest is as good a key.
    const account = sha256(email.toLowerCase());
    byAccount?.take(`${account} ${network}`);
    byAccountAnywhere?.take(account);
  }

  return {
    async signIn({ email, password }, visitor) {
      const { address, userAgent } = visitor;
      count(email, address);
      const account = await store.byEmail(email);
      const { matches, stale } = await hashing.verify(password, account?.passwordHash ?? null);
      if (account === null || !matches || account.disabled) {
        // The address that was typed is not kept: it may be a password in the wrong field.
        const reason = matches ? 'user_disabled' : 'password';
        const nobody = { userId: account?.userId ?? null, credentialId: null, address };
        audit.record({ action: 'sign-in.refused', ...nobody, detail: { provider: null, reason } });
        log.info({ reason }, 'a sign-in by password was refused');
        throw new AppError('unauthenticated', 'That email and password do not belong together.');
      }
      const { userId } = account;
      if (stale) await store.rehash(userId, account.passwordHash, await hashing.hash(password));
      await users.saw(userId);
      await sessions.endOfCookies(visitor.cookies, { userId, credentialId: null, address });
      const none = { grantId: null, provider: null, providerSid: null, subject: null };
      return (await sessions.begin({ ...none, userId, address, userAgent, how: 'password' })).setCookie;
    },

    async of(userId) {
      const account = await store.of(userId);
      if (account !== null) return { email: account.email, changedAt: account.changedAt, mayHave: true };
      const mayHave = (await users.get(userId))?.local ?? false;
      return { email: null, changedAt: null, mayHave };
    },

    async setOwn(principal, wanted, by) {
      // A program's key, if it leaked, must not be able to become its person.
      if (principal.proof !== 'session')
        throw new AppError('forbidden', 'A password is set in a signed-in session.');
      const { userId } = principal;
      const account = await store.of(userId);
      if (account === null) await setFirst(principal, wanted);
      else {
        count(account.email, by.address);
        const { matches } = await hashing.verify(wanted.currentPassword ?? '', account.passwordHash);
        if (!matches) throw new AppError('forbidden', 'The current password is another.');
        refuseWeakPassword(wanted.password, account);
        await store.setPassword(userId, await hashing.hash(wanted.password));
      }
      audit.record({
        action: 'password.set',
        ...by,
        target: userId,
        detail: { how: account === null ? 'first' : 'changed' },
      });
      await sessions.endAllOf(userId, by, 'password-set', principal.credentialId);
    },
  };

  async function setFirst({ userId, name }: Principal, { password, email }: WantedPassword): Promise<void> {
    if ((await users.get(userId))?.local !== true)
      throw new AppError('conflict', 'You sign in at a provider: your password is changed there.');
    if (email === undefined)
      throw new AppError('bad_request', 'Say with which email address you will sign in.');
    refuseWeakPassword(password, { email, name });
    if (await store.isTaken(email, userId))
      throw new AppError('conflict', 'Somebody here has this address already; choose another.');
    await store.begin(userId, email, await hashing.hash(password));
  }
}
