import type { Duplex } from 'node:stream';
import { type Closing, CROWDED, closingFor, closingOf, GONE, TAKEN } from './closing.ts';
import { ServerSocket } from './server-socket.ts';
import type { Size, Viewer } from './viewer.ts';
import { OutputWindow } from './window.ts';

/** So much of a terminal's output is kept, bytes. */
export const KEPT = 256 * 1024;
/** The shell waits when whoever types is so far behind, and goes on at the half, bytes. */
const BEHIND = 128 * 1024;
/** As much may be on its way to the shell, bytes. */
const TYPED_AHEAD = 1024 * 1024;
/** Windows that show one terminal. */
const MOST_VIEWERS = 20;

export interface AttachmentEvents {
  /** Opens it at the server; the first message is still to be sent. @param refused a second try: the server did not take the credential of the first */
  dial(refused: boolean, signal: AbortSignal): Promise<{ stream: Duplex; firstMessage: string }>;
  /** What happens, for whoever keeps it. */
  output(bytes: Buffer): void;
  resized(size: Size): void;
  /** Whether it was told more than it can keep at the moment; then `keptUp` is called. */
  behind(): boolean;
  /** Once: nothing more comes of it. */
  ended(closing: Closing): void;
}

/**
 * One terminal, attached at its server, for as many windows as show it; kept while there is none. The newest window of its owner has the
 * keyboard: one whose network went away need not have been noticed.
 *
 * Backpressure: the shell waits for the window that has the keyboard, never for one that watches; that one misses what it was too slow for,
 * and is told. While nobody has it, the shell goes on and the oldest output is let go.
 */
export class Attachment {
  readonly window = new OutputWindow(KEPT);
  readonly viewers = new Set<Viewer>();
  readonly #events: AttachmentEvents;
  readonly #now: () => number;
  readonly #over = new AbortController();
  #server: ServerSocket | null = null;
  #keyboard: Viewer | null = null;
  #size: Size | null = null;
  #waiting: Viewer | null = null;
  #redialled = false;
  #pumping = false;
  #closing: Closing | null = null;
  readonly startedAt: number;
  /** When something was typed or printed last, milliseconds. */
  activeAt: number;
  /** Since when nobody shows it; null while somebody does. */
  aloneSince: number | null = null;

  constructor(events: AttachmentEvents, now: () => number) {
    this.#events = events;
    this.#now = now;
    this.startedAt = now();
    this.activeAt = this.startedAt;
  }

  /** Opens it at its server. */
  start(): void {
    void this.#dial(false);
  }

  get over(): boolean {
    return this.#closing !== null;
  }

  get open(): boolean {
    return this.#server !== null;
  }

  get keyboard(): Viewer | null {
    return this.#keyboard;
  }

  /** A window more. @param mode whether it takes the keyboard */
  enter(viewer: Viewer, mode: 'take' | 'watch'): void {
    const refusal = this.viewers.size >= MOST_VIEWERS ? CROWDED : this.#closing;
    if (refusal !== null) {
      viewer.close(refusal);
      return;
    }
    this.viewers.add(viewer);
    this.aloneSince = null;
    viewer.hold();
    if (mode === 'take') this.#give(viewer);
    if (this.#server !== null) this.#begin(viewer);
  }

  left(viewer: Viewer): void {
    if (!this.viewers.delete(viewer)) return;
    if (this.#keyboard === viewer) {
      this.#keyboard = null;
      this.#waiting = null;
      this.#goOn();
    }
    if (this.viewers.size === 0) this.aloneSince = this.#now();
  }

  /** The keyboard goes to this window. One that had it watches on, where it can be told, else it is closed. */
  take(viewer: Viewer): void {
    if (this.#keyboard === viewer) return;
    this.#give(viewer);
    viewer.begin('own', this.#size);
    this.#pump(viewer);
  }

  typed(viewer: Viewer, bytes: Buffer): void {
    if (viewer !== this.#keyboard || this.#server === null) return;
    this.activeAt = this.#now();
    this.#server.send(bytes);
    if (this.#server.buffered < TYPED_AHEAD) return;
    viewer.pause();
    this.#waiting = viewer;
  }

  resized(viewer: Viewer, size: Size): void {
    if (viewer !== this.#keyboard || this.#server === null) return;
    this.#size = size;
    this.#server.send(JSON.stringify({ type: 'resize', ...size }));
    this.#events.resized(size);
    for (const other of this.viewers) if (other !== viewer) other.tell({ type: 'size', ...size });
  }

  /** Whoever types has got more. */
  progress(viewer: Viewer): void {
    this.#pump(viewer);
    if (viewer === this.#keyboard) this.#goOn();
  }

  /** What is kept of it is. */
  keptUp(): void {
    this.#goOn();
  }

  /** Asks the server for a sign of life, or takes its silence for its end. */
  lookAfter(now: number, quiet: number, dead: number): void {
    const server = this.#server;
    if (server === null || server.paused) return;
    const silence = now - server.heardAt;
    if (silence > dead) this.end(GONE);
    else if (silence > quiet) server.ping();
  }

  /** Ends it for everybody, and at the server. */
  end(closing: Closing): void {
    if (this.#closing !== null) return;
    this.#closing = closing;
    this.#over.abort();
    this.#server?.close(closing.code === 1001 ? 1001 : 1000);
    this.#server = null;
    for (const viewer of this.viewers) {
      // What was printed last comes first.
      viewer.goOn();
      viewer.pump(() => this.#gap(viewer));
      if (closing.code === 1000) viewer.tell({ type: 'exit' });
      viewer.close(closing);
    }
    this.#events.ended(closing);
  }

  async #dial(refused: boolean): Promise<void> {
    try {
      const { stream, firstMessage } = await this.#events.dial(refused, this.#over.signal);
      if (this.#closing !== null) return void stream.destroy();
      this.#opened(stream, firstMessage);
    } catch (error) {
      this.end(closingFor(error));
    }
  }

  #opened(stream: Duplex, firstMessage: string): void {
    this.#server = new ServerSocket(
      stream,
      {
        output: bytes => this.#output(bytes),
        drain: () => this.#typedOn(),
        closed: code => this.#serverClosed(code),
      },
      this.#now,
    );
    this.#server.send(firstMessage);
    for (const viewer of this.viewers) this.#begin(viewer);
  }

  #serverClosed(code: number): void {
    // A token that ended between the handshake and the first message.
    if (code === 4001 && this.window.end === 0 && !this.#redialled && this.#closing === null) {
      this.#redialled = true;
      this.#server = null;
      for (const viewer of this.viewers) viewer.hold();
      void this.#dial(true);
    } else this.end(closingOf(code));
  }

  #begin(viewer: Viewer): void {
    viewer.begin(viewer === this.#keyboard ? 'own' : 'watch', this.#size);
    viewer.release();
    this.#pump(viewer);
  }

  #give(viewer: Viewer): void {
    const before = this.#keyboard;
    this.#keyboard = viewer;
    this.#typedOn();
    this.#goOn();
    if (before === null) return;
    if (before.speaks) before.tell({ type: 'taken' });
    else before.close(TAKEN);
  }

  #output(bytes: Buffer): void {
    this.activeAt = this.#now();
    this.window.append(bytes);
    this.#events.output(bytes);
    const keyboard = this.#keyboard;
    const slow = keyboard !== null && this.window.end - keyboard.next > BEHIND;
    if (slow || this.#events.behind()) this.#server!.pause();
    if (this.#pumping) return;
    // What comes in the same turn leaves in one frame.
    this.#pumping = true;
    process.nextTick(this.#pumpAll);
  }

  readonly #pumpAll = (): void => {
    this.#pumping = false;
    for (const viewer of this.viewers) this.#pump(viewer);
  };

  #pump(viewer: Viewer): void {
    viewer.pump(() => this.#gap(viewer));
  }

  #gap(viewer: Viewer): void {
    viewer.begin(viewer === this.#keyboard ? 'own' : 'watch', this.#size);
  }

  /** The shell goes on, unless somebody still needs it to wait. */
  #goOn(): void {
    const keyboard = this.#keyboard;
    if (keyboard !== null && this.window.end - keyboard.next > BEHIND / 2) return;
    if (!this.#events.behind()) this.#server?.resume();
  }

  #typedOn(): void {
    this.#waiting?.resume();
    this.#waiting = null;
  }
}
