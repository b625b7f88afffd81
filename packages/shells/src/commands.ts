import { randomBytes } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { Refused } from './answers.ts';
import type { Launcher } from './launcher.ts';
import type { Clock, ShellSettings } from './settings.ts';
import type { Owner, Shell } from './shell.ts';

/** What is kept of a command's output, characters: the newest. */
const KEPT = 4 * 1024 * 1024;
/** How long one that has ended is remembered, milliseconds. */
const REMEMBERED = 5 * 60_000;
const SIZE = { cols: 120, rows: 40 };

/** One piece of output, as open-terminal has it. */
interface Entry {
  readonly type: 'output';
  readonly data: string;
}

/** A command that runs, or ran, in the background. */
export class Command {
  readonly command: string;
  readonly shell: Shell;
  endedAt: number | null = null;
  #killed = false;
  #entries: Entry[] = [];
  #size = 0;
  /** Entries that are no longer kept. */
  #dropped = 0;

  constructor(command: string, shell: Shell, now: () => number) {
    this.command = command;
    this.shell = shell;
    const decoder = new StringDecoder('utf8');
    const add = (data: string) => {
      if (data === '') return;
      this.#entries.push({ type: 'output', data });
      this.#size += data.length;
      while (this.#size > KEPT && this.#entries.length > 1) {
        this.#size -= this.#entries.shift()!.data.length;
        this.#dropped += 1;
      }
    };
    shell.attach({
      output(bytes) {
        add(decoder.write(bytes));
        return true;
      },
      ended: () => {
        add(decoder.end());
        this.endedAt = now();
      },
    });
  }

  get shown() {
    return {
      id: this.shell.id,
      command: this.command,
      status: this.#killed ? 'killed' : this.endedAt === null ? 'running' : 'done',
      exit_code: this.endedAt === null ? null : this.shell.exitCode,
      log_path: null,
    };
  }

  /** @param offset entries to pass over @param tail only so many of the last */
  output(offset: number, tail: number | null) {
    const rest = this.#entries.slice(Math.max(0, offset - this.#dropped));
    const output = tail !== null && rest.length > tail ? rest.slice(-tail) : rest;
    const truncated = output.length < rest.length || offset < this.#dropped;
    return { output, truncated, next_offset: this.#dropped + this.#entries.length };
  }

  async kill(force: boolean): Promise<void> {
    this.#killed = true;
    if (force) this.shell.kill();
    else this.shell.signal('SIGTERM');
    await Promise.race([this.shell.ended, this.shell.end()]);
  }
}

export interface Commands extends AsyncDisposable {
  /** @throws Refused */
  run(
    owner: Owner,
    command: string,
    place: { cwd: string | null; env: Readonly<Record<string, string>> },
  ): Command;
  list(user: string): Command[];
  /** @throws Refused 404 for another user's, too */
  find(user: string, id: string): Command;
  forget(command: Command): void;
}

export function createCommands(deps: {
  settings: ShellSettings;
  launcher: Launcher;
  clock: Clock;
}): Commands {
  const { settings, launcher, clock } = deps;
  const { perUser, total } = settings.limits;
  const all = new Map<string, Command>();

  function forgetOld(): void {
    for (const [id, { endedAt }] of all)
      if (endedAt !== null && clock.monotonic() - endedAt > REMEMBERED) all.delete(id);
  }
  const list = (user: string) => {
    forgetOld();
    return [...all.values()].filter(({ shell }) => shell.owner.user === user);
  };

  return {
    run(owner, text, { cwd, env }) {
      const running = (commands: Iterable<Command>) =>
        [...commands].filter(({ endedAt }) => endedAt === null).length;
      if (running(list(owner.user)) >= perUser || running(all.values()) >= total)
        throw new Refused(429, 'Too many commands are running');
      const shell = launcher.inTerminal([settings.shell[0], '-c', text], {
        id: randomBytes(16).toString('hex'),
        owner,
        size: SIZE,
        cwd,
        env,
      });
      const command = new Command(text, shell, () => clock.monotonic());
      all.set(shell.id, command);
      return command;
    },
    list,
    find(user, id) {
      forgetOld();
      const command = all.get(id);
      if (command === undefined || command.shell.owner.user !== user)
        throw new Refused(404, 'Process not found');
      return command;
    },
    forget: ({ shell }) => void all.delete(shell.id),
    async [Symbol.asyncDispose]() {
      await Promise.all([...all.values()].map(({ shell }) => shell.end()));
    },
  };
}
