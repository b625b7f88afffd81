import type { Socket } from 'node:net';
import { writeBinary } from '@sallyport/protocol/web-socket-frames.ts';
import type { WebSocket } from 'ws';
import type { Closing } from './closing.ts';
import type { EarlyMessage } from './early-messages.ts';
import type { OutputWindow } from './window.ts';

/** Bytes that may be on their way to one client. */
const ON_ITS_WAY = 256 * 1024;
/** A text of a client that says something is short, bytes. */
const MAX_TEXT = 4096;
/** No screen is larger, columns or rows. */
const MAX_SIZE = 1_000;

export interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** What a client does. */
export interface ViewerEvents {
  typed(viewer: Viewer, bytes: Buffer): void;
  resized(viewer: Viewer, size: Size): void;
  wantsKeyboard(viewer: Viewer): void;
  /** It has got more of what was printed. */
  progress(viewer: Viewer): void;
  left(viewer: Viewer, code: number): void;
}

/** One window in which a terminal is shown: a client's WebSocket, and how far it has seen the output. */
export class Viewer {
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #window: OutputWindow;
  readonly #events: ViewerEvents;
  readonly #now: () => number;
  /** Whether it understands our texts, or terminals only. */
  readonly speaks: boolean;
  /** Number of the next byte it gets. */
  next: number;
  /** When it was heard of last, milliseconds. */
  heardAt: number;
  bytesUp = 0;
  bytesDown = 0;
  #held = true;
  /** It has said that it has enough for now. */
  #full = false;
  #early: EarlyMessage[];
  #over = false;

  constructor(
    socket: WebSocket,
    options: {
      /** Under the WebSocket: output goes there in frames of ours, between whole ones of its own. */
      connection: Socket;
      window: OutputWindow;
      speaks: boolean;
      from: number | null;
      events: ViewerEvents;
      /** What it has said already. */
      early: EarlyMessage[];
      now: () => number;
    },
  ) {
    const { window, events, now } = options;
    this.#socket = socket;
    this.#connection = options.connection;
    this.#window = window;
    this.#events = events;
    this.#now = now;
    this.speaks = options.speaks;
    // What a client cannot have seen yet is the count of another shell. One that only shows what comes may have seen anything, or nothing.
    const { from } = options;
    const unknown = this.speaks ? window.start : 0;
    this.next = from === null || from > window.end ? unknown : from;
    this.heardAt = now();
    this.#early = options.early;
    socket.on('message', (data: Buffer, binary: boolean) => {
      this.heardAt = now();
      if (this.#held) this.#early.push({ data, binary });
      else this.#heard({ data, binary });
    });
    for (const event of ['ping', 'pong'] as const)
      socket.on(event, () => {
        this.heardAt = now();
      });
    socket.on('close', (code: number) => this.#left(code));
    socket.on('error', () => {});
  }

  get over(): boolean {
    return this.#over;
  }

  get paused(): boolean {
    return this.#socket.isPaused;
  }

  /** Says where the output begins for this client, and that what was before it is gone: in a line of the output, where nothing else is shown. */
  begin(mode: 'own' | 'watch', size: Size | null): void {
    const { start, end } = this.#window;
    const lost = Math.max(0, start - this.next);
    this.next = Math.max(this.next, start);
    const { cols, rows } = size ?? { cols: null, rows: null };
    this.tell({ type: 'attached', mode, from: this.next, to: end, lost, cols, rows });
    if (lost > 0 && !this.speaks && !this.#over) this.#socket.send(goneLine(lost), BINARY);
  }

  /** For a client that understands it. */
  tell(message: Readonly<Record<string, unknown>>): void {
    if (this.speaks && !this.#over) this.#socket.send(JSON.stringify(message));
  }

  /** Nothing passes, either way, until `release`: the shell is not there yet. */
  hold(): void {
    this.#held = true;
    this.#socket.pause();
  }

  release(): void {
    this.#held = false;
    this.#socket.resume();
    for (const message of this.#early.splice(0)) this.#heard(message);
  }

  /** Sends on what was printed, as much as is not too much. @param gap called where some of it is gone */
  pump(gap: () => void): void {
    if (this.#held || this.#full || this.#over) return;
    const window = this.#window;
    if (this.next < window.start) gap();
    let room = ON_ITS_WAY - this.#connection.writableLength;
    if (this.next === window.end || room <= 0) return;
    const pieces: Buffer[] = [];
    const from = this.next;
    while (this.next < window.end && room > 0) {
      const bytes = window.read(this.next);
      this.next += bytes.length;
      room -= bytes.length;
      pieces.push(bytes);
    }
    // After a close nothing may follow (RFC 6455 section 5.5.1).
    if (this.#socket.readyState === this.#socket.OPEN) {
      this.bytesDown += this.next - from;
      writeBinary(this.#connection, pieces, this.next - from, this.#flushed);
    }
    this.#events.progress(this);
  }

  /** It can show more again, or has to have it now, since nothing comes after. */
  goOn(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#events.progress(this);
  }

  /** What it types waits. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#held || !this.#socket.isPaused) return;
    this.heardAt = this.#now();
    this.#socket.resume();
  }

  ping(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  close({ code, reason }: Closing): void {
    // Its answer to the close has to be read.
    this.#socket.resume();
    this.#socket.close(code, reason);
  }

  /** Nobody is there any more. */
  drop(): void {
    this.#socket.terminate();
  }

  readonly #flushed = (): void => {
    if (!this.#over) this.#events.progress(this);
  };

  #left(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.left(this, code);
  }

  #heard({ data, binary }: EarlyMessage): void {
    if (binary) {
      this.bytesUp += data.length;
      this.#events.typed(this, data);
    } else if (data.length <= MAX_TEXT) this.#said(data.toString('utf8'));
  }

  #said(text: string): void {
    let said: { type?: unknown; cols?: unknown; rows?: unknown } | null;
    try {
      said = JSON.parse(text) as typeof said;
    } catch {
      return;
    }
    if (said?.type === 'take') this.#events.wantsKeyboard(this);
    else if (said?.type === 'pause') this.#full = true;
    else if (said?.type === 'resume') this.goOn();
    else if (said?.type === 'resize' && isSize(said.cols) && isSize(said.rows))
      this.#events.resized(this, { cols: said.cols, rows: said.rows });
  }
}

const BINARY = { binary: true } as const;

/** CAN ends whatever escape sequence the output was cut in (ECMA-48 section 8.3.6); its colours are gone with what was lost. */
const goneLine = (bytes: number): Buffer =>
  Buffer.from(`\x18\r\n\x1b[0;2m[… ${bytes.toLocaleString('en')} bytes before this are gone …]\x1b[0m\r\n`);

const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SIZE;
