import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ShellSettings } from './settings.ts';

/** Gives each user a home on this machine, made when it is first asked for. */
export function createHomes({ homes, env, account }: ShellSettings): (user: string) => string {
  const own = env['HOME'] ?? '/';
  if (homes === null) return () => own;
  mkdirSync(homes, { recursive: true });
  // Others than an account of its own have no business here; that one only passes through.
  chmodSync(homes, account === null ? 0o700 : 0o711);
  const made = new Map<string, string>();
  return user => {
    let home = made.get(user);
    if (home === undefined) {
      home = join(homes, nameOf(user));
      mkdirSync(home, { recursive: true, mode: 0o700 });
      if (account !== null) chownSync(home, account.uid, account.gid);
      made.set(user, home);
    }
    return home;
  };
}

/** A user's id where it is a plain word, so that an operator finds it; no two users have one name. */
const nameOf = (user: string): string =>
  /^usr_[A-Za-z0-9]{1,60}$/.test(user)
    ? user
    : `user-${createHash('sha256').update(user).digest('hex').slice(0, 32)}`;
