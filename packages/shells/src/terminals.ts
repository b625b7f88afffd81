import { randomBytes } from 'node:crypto';
import { Refused } from './answers.ts';
import type { Launcher } from './launcher.ts';
import type { Clock, ShellSettings } from './settings.ts';
import type { Owner, Shell } from './shell.ts';

/** A shell that was made and is not attached to is ended after so long, milliseconds; whoever made it has its id and attaches at once. */
const UNATTACHED = 10 * 60_000;
/** How often is looked for those, milliseconds. */
const LOOK = 30_000;

/** A terminal's size in characters; what is out of bounds is brought in. */
export const sizeOf = (cols: unknown, rows: unknown): { cols: number; rows: number } => ({
  cols: within(cols, 80),
  rows: within(rows, 24),
});
const within = (value: unknown, fallback: number): number =>
  typeof value === 'number' && Number.isFinite(value)
    ? Math.min(Math.max(Math.trunc(value), 1), 1_000)
    : fallback;

/** All shells that run, each its user's. */
export interface Terminals extends AsyncDisposable {
  /** @throws Refused */
  create(owner: Owner, wanted: { cols: unknown; rows: unknown; cwd: string | null }): Shell;
  /** Those of this user. */
  list(user: string): Shell[];
  /** Null: there is none, or it is another user's. */
  find(user: string, id: string): Shell | null;
}

export function createTerminals(deps: {
  settings: ShellSettings;
  launcher: Launcher;
  clock: Clock;
}): Terminals {
  const { settings, launcher, clock } = deps;
  const { limits } = settings;
  const shells = new Map<string, Shell>();
  const over = new AbortController();

  const list = (user: string) => [...shells.values()].filter(({ owner }) => owner.user === user);

  async function endIdle(): Promise<void> {
    while (!over.signal.aborted) {
      await clock.sleep(LOOK, over.signal).catch(() => {});
      for (const shell of shells.values()) {
        const quiet = clock.monotonic() - shell.quietSince;
        if (quiet >= (shell.attached ? limits.idle : Math.min(UNATTACHED, limits.idle))) void shell.end();
      }
    }
  }
  void endIdle();

  return {
    create(owner, { cols, rows, cwd }) {
      if (list(owner.user).length >= limits.perUser)
        throw new Refused(429, `Maximum number of terminal sessions (${limits.perUser}) reached`, 'error');
      if (shells.size >= limits.total)
        throw new Refused(429, `Maximum number of terminal sessions (${limits.total}) reached`, 'error');
      const shell = launcher.inTerminal(settings.shell, {
        id: randomBytes(16).toString('hex'),
        owner,
        size: sizeOf(cols, rows),
        cwd,
      });
      shells.set(shell.id, shell);
      void shell.ended.then(() => shells.delete(shell.id));
      return shell;
    },
    list,
    find(user, id) {
      const shell = shells.get(id);
      return shell === undefined || shell.over || shell.owner.user !== user ? null : shell;
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await Promise.all([...shells.values()].map(shell => shell.end()));
    },
  };
}
