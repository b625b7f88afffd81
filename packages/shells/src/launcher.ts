import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Refused } from './answers.ts';
import { type Confinement, createConfinement, FILE_PROGRAM } from './confine.ts';
import { environmentOf } from './environment.ts';
import { createHomes } from './homes.ts';
import { createReaper, startKeeper } from './processes.ts';
import { Pty } from './pty.ts';
import { type Clock, type ShellSettings, ShellSettingsError } from './settings.ts';
import { type Owner, Shell } from './shell.ts';

export interface Launched {
  readonly id: string;
  readonly owner: Owner;
  readonly size: { readonly cols: number; readonly rows: number };
  /** As the user sees it; null: their home. */
  readonly cwd: string | null;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts programs, each confined as the settings say. */
export interface Launcher extends Disposable {
  /** @throws Refused where the system has no terminal, process or memory for it */
  inTerminal(command: readonly string[], launched: Launched): Shell;
  /** A program whose descriptor 3 is a connection to it. */
  connected(command: readonly string[], user: string, reads: readonly string[]): ChildProcess;
  /** A user's home as they see it. */
  homeOf(user: string): string;
}

/** @throws ShellSettingsError */
export function createLauncher(deps: { settings: ShellSettings; clock: Clock }): Launcher {
  const { settings, clock } = deps;
  // First, so that another account may get there.
  const homes = createHomes(settings);
  const confine = createConfinement(settings);
  assertReachable(settings, confine);
  /** In the environment of all that this launcher starts. */
  const run = randomBytes(16).toString('hex');
  const reaper = createReaper();
  let keeper: ChildProcess | null = null;
  const kept = () => {
    if (!settings.lingers) keeper ??= startKeeper(run);
  };

  const placeOf = (user: string, cwd: string | null) => {
    const home = homes(user);
    const seen = confine.homeOf(home);
    return { home, seen, cwd: cwd ?? seen };
  };

  return {
    inTerminal(command, { id, owner, size, cwd, env }) {
      kept();
      const place = placeOf(owner.user, cwd);
      const mark = `${run}.${id}`;
      const confined = confine(command, place);
      try {
        const pty = new Pty(confined, {
          ...size,
          env: environmentOf(settings, { home: place.seen, mark, ...(env && { more: env }) }),
        });
        return new Shell(pty, {
          id,
          owner,
          createdAt: new Date(clock.now()),
          // Where there are no namespaces, whose end ends all that is in them.
          endRest: () => void (settings.lingers || settings.isolate !== 'none' || reaper.end(mark)),
          now: () => clock.monotonic(),
        });
      } catch (cause) {
        throw Object.assign(
          new Refused(503, 'Out of PTY devices: too many terminals or processes', 'error'),
          { cause },
        );
      }
    },

    connected(command, user, reads) {
      kept();
      const place = placeOf(user, null);
      const { file, args, cwd } = confine(command, { ...place, reads });
      return spawn(file, args, {
        cwd,
        env: environmentOf(settings, { home: place.seen, mark: `${run}.files` }),
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
        detached: true,
      });
    },

    homeOf: user => placeOf(user, null).seen,

    [Symbol.dispose]() {
      if (!settings.lingers) reaper.endAll(`${run}.`);
      keeper?.stdin?.end();
    },
  };
}

/** An account has to reach its homes, and the program that does its file calls. @throws ShellSettingsError */
function assertReachable({ account, homes, isolate }: ShellSettings, confine: Confinement): void {
  if (account === null || homes === null || isolate !== 'none') return;
  const may = (mode: string, path: string) => {
    const { file, args } = confine(['/usr/bin/test', mode, path], { home: homes, cwd: '/' });
    return spawnSync(file, args, { cwd: '/', env: {}, timeout: 10_000 }).status === 0;
  };
  if (!may('-x', homes)) throw new ShellSettingsError(`homes: account ${account.uid} cannot reach ${homes}`);
  for (const path of [process.execPath, FILE_PROGRAM])
    if (!may('-r', path))
      throw new ShellSettingsError(
        `account: ${account.uid} cannot read ${path}; install Sallyport where that account may read it`,
      );
}
