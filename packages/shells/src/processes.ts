import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { MARK } from './environment.ts';

/** A process that starts others as fast as they are ended is looked for again, so often at most. */
const ROUNDS = 20;

/** Ends all that a program started, also what left its terminal and its group (`nohup`, `setsid`): an environment stays with what is started in it. */
export interface Reaper {
  /** @param mark of what is to be ended; many at once cost one look at the processes */
  end(mark: string): void;
  /** At once: all whose mark begins so. */
  endAll(prefix: string): void;
}

/** Only where there is a `/proc`; elsewhere a terminal's end has to do. */
export function createReaper(): Reaper {
  let wanted = new Set<string>();

  function sweep(isWanted: (mark: string) => boolean): void {
    for (let round = 0; round < ROUNDS; round++) {
      const found = processes().filter(pid => {
        const mark = markOf(pid);
        return mark !== null && isWanted(mark);
      });
      for (const pid of found) endProcess(pid, 'SIGKILL');
      if (found.length === 0) return;
    }
  }

  return {
    end(mark) {
      wanted.add(mark);
      if (wanted.size > 1) return;
      setImmediate(() => {
        const marks = wanted;
        wanted = new Set();
        sweep(found => marks.has(found));
      });
    },
    endAll: prefix => sweep(found => found.startsWith(prefix)),
  };
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Null: it bears none, is somebody else's, or gone. */
function markOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/environ`, 'latin1');
    const at = `\0${text}`.indexOf(`\0${MARK}=`);
    if (at < 0) return null;
    return text.slice(at + MARK.length + 1).split('\0', 1)[0]!;
  } catch {
    return null;
  }
}

/** @param pid of a process; negative: of a group */
export function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended just now.
  }
}

/** Waits for the end of its input, and then ends all that bears the mark of a run. */
const KEEPER = `cat >/dev/null
round=0
while [ $round -lt ${ROUNDS} ]; do
  found=$(grep -lsaF -e "$1" /proc/[0-9]*/environ)
  [ -n "$found" ] || exit 0
  for path in $found; do pid=\${path#/proc/}; kill -9 "\${pid%/environ}" 2>/dev/null; done
  round=$((round + 1))
done`;

/** Sees to it that no shell of this run outlives this process, however it ends: it knows by the pipe that only this process holds. */
export function startKeeper(run: string): ChildProcess | null {
  if (process.platform !== 'linux') return null;
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'keeper', `${MARK}=${run}.`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    // A signal to this process' group must not end it first.
    detached: true,
  });
  keeper.on('error', () => {});
  keeper.stdin!.on('error', () => {});
  keeper.unref();
  (keeper.stdin as unknown as { unref(): void }).unref();
  return keeper;
}
