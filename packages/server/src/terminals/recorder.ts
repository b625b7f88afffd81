import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import { PieceWriter } from './recording-form.ts';
import type { RecordingStore } from './recording-store.ts';
import type { Terminal } from './terminal-store.ts';
import type { Size } from './viewer.ts';

/** So much of the output is compressed at a time, bytes: a millisecond or two of the one thread. */
const PIECE = 512 * 1024;
/** Pieces are written when they have so many bytes, or are so many, or at the next look: a commit waits for the disk, and everybody for it. */
const TOGETHER = 512 * 1024;
const MOST_TOGETHER = 100;
/** The shell waits while pieces of as many bytes are not written yet: what is held of them in memory. */
const BEHIND = 2 * 1024 * 1024;
/** As wide as screens were, where none has said another size. */
const USUAL: Size = { cols: 80, rows: 24 };

/** One recording, while it goes on. */
export interface Recorder {
  output(bytes: Buffer): void;
  resized(size: Size): void;
  /** Whether the shell should wait until `caughtUp`. */
  readonly behind: boolean;
  /** Writes what has come. */
  flush(): void;
  /** Resolves when all of it is written, or could not be. */
  end(): Promise<void>;
}

/** Begins the recording of a terminal. @param caughtUp told whenever it is no longer behind */
export type Record = (terminal: Terminal, actor: Actor, caughtUp: () => void) => Recorder;

/**
 * Records what terminals print, byte for byte (`recording-form.ts`). Keystrokes are not recorded: what is typed and not printed is most often a
 * password.
 */
export function createRecord(deps: {
  store: Pick<RecordingStore, 'newId' | 'begin' | 'append' | 'end'>;
  audit: Audit;
  /** Told that somebody's list of recordings is not what it was. */
  changed(userId: string): void;
  runtime: Pick<Runtime, 'monotonic'>;
  log: Logger;
}): Record {
  const { store, runtime } = deps;

  return (terminal, actor, caughtUp) => {
    const id = store.newId();
    const startedAt = runtime.monotonic();
    const gathered = new PieceWriter();
    let ready: Buffer[] = [];
    let readyBytes = 0;
    let size: Size | null = null;
    /** Bytes that are being written. */
    let waiting = 0;
    let number = 0;
    let bytes = 0;
    let failed = false;
    let writing: Promise<void> | null = null;

    /** Microseconds. */
    const elapsed = () => Math.round((runtime.monotonic() - startedAt) * 1_000);

    /** One piece after the other; the first waits for a size to be known, or for something to write. */
    function write(act: () => Promise<void>): void {
      writing = (writing ?? begun()).then(act).catch((error: unknown) => {
        if (!failed) deps.log.error({ err: error, terminal: terminal.id }, 'a recording cannot be written');
        failed = true;
        waiting = 0;
        caughtUp();
      });
    }

    async function begun(): Promise<void> {
      const { upstreamId, id: terminalId, userId } = terminal;
      await store.begin({ id, upstreamId, terminalId, userId, ...(size ?? USUAL) });
      const detail = { upstream: upstreamId, terminal: terminalId };
      deps.audit.record({ action: 'recording.begin', ...actor, target: id, detail });
      deps.changed(userId);
    }

    function compress(): void {
      const piece = gathered.take();
      if (piece === null) return;
      ready.push(piece);
      readyBytes += piece.length;
    }

    function flush(): void {
      compress();
      if (ready.length === 0 || failed) return;
      const [pieces, first, length, total] = [ready, number, readyBytes, bytes];
      ready = [];
      readyBytes = 0;
      number += pieces.length;
      waiting += length;
      write(async () => {
        await store.append(id, first, pieces, total);
        waiting -= length;
        if (waiting <= BEHIND / 2) caughtUp();
      });
    }

    return {
      get behind() {
        return waiting > BEHIND;
      },
      output(chunk) {
        if (failed) return;
        bytes += chunk.length;
        gathered.output(elapsed(), chunk);
        if (gathered.size < PIECE) return;
        compress();
        if (readyBytes >= TOGETHER || ready.length >= MOST_TOGETHER) flush();
      },
      resized(given) {
        if (failed) return;
        if (size !== null || writing !== null) gathered.resized(elapsed(), given);
        size ??= given;
      },
      flush,
      async end() {
        flush();
        if (writing !== null)
          write(async () => {
            await store.end(id);
            deps.changed(terminal.userId);
          });
        await writing;
      },
    };
  };
}
