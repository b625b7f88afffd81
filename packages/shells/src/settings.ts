/** Where shells run, and how far they reach. */
export interface ShellSettings {
  /** Program and arguments of an interactive shell. */
  readonly shell: readonly [string, ...string[]];
  /** A directory that holds one home for each user; null: all are at home in `env.HOME`. */
  readonly homes: string | null;
  /** All that a shell finds in its environment, besides what is its own (HOME, TERM …). */
  readonly env: Readonly<Record<string, string>>;
  /** Another account than this process' own, which only root may take. */
  readonly account: { readonly uid: number; readonly gid: number } | null;
  /** Whether `sudo` and other programs of more rights work. */
  readonly privileges: boolean;
  /** Whether what left a shell's terminal on purpose (`nohup`, `tmux`) goes on when the shell ends. */
  readonly lingers: boolean;
  /** `bubblewrap`: each program in namespaces of its own, with nothing of this machine but its programs and the user's home. */
  readonly isolate: 'none' | 'bubblewrap';
  /** Whether isolated shells reach the network. */
  readonly network: boolean;
  readonly limits: ShellLimits;
}

/** Null: none. */
export interface ShellLimits {
  /** Shells, and as many commands, of one user at once. */
  readonly perUser: number;
  /** Shells of all users at once. */
  readonly total: number;
  /** A shell that says nothing and is told nothing for so long is ended, milliseconds. */
  readonly idle: number;
  /** Processes and threads of the account at once; inside bubblewrap those of one shell. */
  readonly processes: number | null;
  /** Private writable memory of one process, bytes. */
  readonly memory: number | null;
  /** Processor time of one process, seconds. */
  readonly cpu: number | null;
}

/** Time, as whoever runs the server has it. */
export interface Clock {
  /** Milliseconds. */
  monotonic(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<unknown>;
  now(): number;
}

/** Settings that cannot be followed on this machine; the message is for whoever wrote them. */
export class ShellSettingsError extends Error {
  override readonly name = 'ShellSettingsError';
}

/** A user's bounds where the settings name none. */
export const LIMITS: ShellLimits = {
  perUser: 16,
  total: 500,
  idle: 4 * 60 * 60_000,
  processes: 2_048,
  memory: 4 * 2 ** 30,
  cpu: 4 * 60 * 60,
};
