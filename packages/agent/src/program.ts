import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { LineSplitter } from '@sallyport/protocol/lines.ts';
import type { Log } from './log.ts';
import type { StdioServed } from './settings.ts';

/** What a program that was told to end gets for it, milliseconds: first its input closes, then SIGTERM, then SIGKILL. */
const PATIENCE = 3_000;

export interface ProgramEvents {
  line(text: string): void;
  /** Once, with how it ended. */
  ended(how: string): void;
}

/** A local MCP server: a process that reads and writes a JSON-RPC message a line. */
export class Program {
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #exited = Promise.withResolvers<void>();
  #over = false;

  constructor(
    served: StdioServed,
    deps: { clock: Clock; log: Log; env: NodeJS.ProcessEnv },
    events: ProgramEvents,
  ) {
    const [command, ...args] = served.command;
    this.#clock = deps.clock;
    this.#child = spawn(command, args, {
      cwd: served.cwd ?? undefined,
      env: { ...deps.env, ...served.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // Ended together with whatever it started (npx starts node).
      detached: process.platform !== 'win32',
    });
    const end = (how: string) => {
      if (this.#over) return;
      this.#over = true;
      this.#exited.resolve();
      events.ended(how);
    };
    const out = new LineSplitter(events.line);
    const said = new LineSplitter(text => deps.log.said(served.name, text));
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      if (out.push(chunk)) return;
      this.#signal('SIGKILL');
      end('it wrote a line that is longer than 16 MiB');
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => void said.push(chunk));
    this.#child.stdin!.on('error', () => {});
    this.#child.on('error', error => end(error.message));
    this.#child.on('close', (code, signal) => end(signal === null ? `exit code ${code}` : signal));
  }

  /** @returns false when it reads slower than it is written to; `drained` is called when it has caught up */
  write(line: string, drained: () => void): boolean {
    if (this.#over || this.#child.stdin!.writableEnded) return true;
    if (this.#child.stdin!.write(`${line}\n`)) return true;
    this.#child.stdin!.once('drain', drained);
    return false;
  }

  pause(): void {
    this.#child.stdout!.pause();
  }

  resume(): void {
    this.#child.stdout!.resume();
  }

  /** Ends it, as gently as it lets itself be ended. */
  async stop(): Promise<void> {
    if (this.#over) return;
    this.#child.stdin!.end();
    // Nobody reads any more; a full pipe would keep it from ending.
    this.#child.stdout!.removeAllListeners('data').resume();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const enough = new AbortController();
      const patience = this.#clock.sleep(PATIENCE, enough.signal).catch(() => {});
      await Promise.race([this.#exited.promise, patience]);
      enough.abort();
      if (this.#over) return;
      this.#signal(signal);
    }
    await this.#exited.promise;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    try {
      if (pid !== undefined && process.platform !== 'win32') process.kill(-pid, signal);
      else this.#child.kill(signal);
    } catch {
      // It ended just now.
    }
  }
}
