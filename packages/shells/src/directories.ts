import type { Caller } from './caller.ts';

/** Tells the program that does file calls in which directory the caller's session is, percent-encoded. */
export const CWD_HEADER = 'x-shells-cwd';
/** Directories that are remembered; the oldest goes first. */
const MOST = 10_000;

/** In which directory each session of each user is. */
export interface Directories {
  /** Null: in their home. */
  of(caller: Caller): string | null;
  set(caller: Caller, directory: string): void;
}

export function createDirectories(): Directories {
  const known = new Map<string, string>();
  const keyOf = ({ user, session }: Caller) => JSON.stringify([user, session]);
  return {
    of: caller => (caller.session === null ? null : (known.get(keyOf(caller)) ?? null)),
    set(caller, directory) {
      if (caller.session === null) return;
      known.delete(keyOf(caller));
      known.set(keyOf(caller), directory);
      if (known.size > MOST) known.delete(known.keys().next().value!);
    },
  };
}
