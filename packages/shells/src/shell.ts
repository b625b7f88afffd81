import { endProcess } from './processes.ts';
import type { Pty } from './pty.ts';

/** What a shell that was told to end gets for it, milliseconds. */
const PATIENCE = 1_000;

/** Where the output of a shell goes. */
export interface Viewer {
  /** @returns false to be given no more before it says `resume` */
  output(bytes: Buffer): boolean;
  /** The shell has ended, and all its output was given. */
  ended(): void;
}

/** Who a program belongs to. */
export interface Owner {
  readonly user: string;
  /** The client's own name for what it is doing; null: none. */
  readonly session: string | null;
}

/** One program in a terminal of its own. While nobody looks, it waits as soon as what the system keeps of its output is full. */
export class Shell {
  readonly id: string;
  readonly owner: Owner;
  readonly createdAt: Date;
  /** Since when nothing was typed or printed; milliseconds of the clock. */
  quietSince: number;
  readonly ended: Promise<void>;
  readonly #pty: Pty;
  readonly #endRest: () => void;
  readonly #now: () => number;
  #viewer: Viewer | null = null;
  #waiting: Buffer[] = [];
  #flushing = false;
  #exited = false;
  #over = false;
  #exitCode: number | null = null;

  /** @param about.endRest ends whatever it started and left behind */
  constructor(
    pty: Pty,
    about: { id: string; owner: Owner; createdAt: Date; endRest: () => void; now: () => number },
  ) {
    this.id = about.id;
    this.owner = about.owner;
    this.createdAt = about.createdAt;
    this.#endRest = about.endRest;
    this.#now = about.now;
    this.#pty = pty;
    this.quietSince = about.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    pty.pause();
    pty.onData(bytes => this.#came(bytes));
    const left = Promise.withResolvers<void>();
    pty.onExit(code => {
      this.#exitCode = code;
      this.#exited = true;
      this.#endRest();
      // What a viewer has not taken yet waits for it.
      if (this.#viewer === null) pty.resume();
      left.resolve();
    });
    pty.onClose(() => {
      this.#flush();
      // Its last program may be gone from the terminal, and not yet from the system.
      void left.promise.then(() => {
        this.#over = true;
        this.#viewer?.ended();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  get over(): boolean {
    return this.#over;
  }

  get attached(): boolean {
    return this.#viewer !== null;
  }

  /** Null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** @returns lets go of it */
  attach(viewer: Viewer): () => void {
    this.#viewer = viewer;
    this.quietSince = this.#now();
    if (this.#over) viewer.ended();
    else this.#pty.resume();
    return () => {
      if (this.#viewer !== viewer) return;
      this.#viewer = null;
      this.quietSince = this.#now();
      if (this.#exited) this.#pty.resume();
      else this.#pty.pause();
    };
  }

  /** The viewer has caught up. */
  resume(): void {
    if (!this.#over) this.#pty.resume();
  }

  /** @param drained called when it has been read, where it was not taken at once @returns whether it was */
  write(bytes: Buffer, drained: () => void): boolean {
    if (this.#over) return true;
    this.quietSince = this.#now();
    return this.#pty.write(bytes, drained);
  }

  resize(cols: number, rows: number): void {
    if (!this.#over) this.#pty.resize(cols, rows);
  }

  /** Sends a signal to all of its group. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#exited) endProcess(-this.pid, signal);
  }

  /** Hangs up as a terminal does; what does not end by that is ended. */
  async end(): Promise<void> {
    if (this.#over) return;
    this.signal('SIGHUP');
    this.signal('SIGCONT');
    // Nobody reads any more; a full terminal would keep it from ending.
    this.#pty.resume();
    const timer = setTimeout(() => this.kill(), PATIENCE);
    await this.ended;
    clearTimeout(timer);
  }

  /** At once, and whoever still holds its terminal. */
  kill(): void {
    this.signal('SIGKILL');
    this.#endRest();
    this.#pty.close();
  }

  /** What comes in one turn of the loop is one piece: a terminal is read four kilobytes at a time. */
  #came(bytes: Buffer): void {
    this.quietSince = this.#now();
    if (this.#viewer === null) return;
    this.#waiting.push(bytes);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = [];
    if (this.#viewer !== null && !this.#viewer.output(bytes) && !this.#over) this.#pty.pause();
  }
}
