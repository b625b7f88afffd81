import { StringDecoder } from 'node:string_decoder';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { RecordingStore } from './recording-store.ts';
import type { Terminal } from './terminal-store.ts';
import type { Size } from './viewer.ts';

/** A piece is written when it has so many characters, or at the next look. */
const PIECE = 128 * 1024;
/** The shell waits while as much is not written yet, characters. */
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
 * Records what terminals print, as asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/). Keystrokes are not recorded: what is typed
 * and not printed is most often a password.
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
    // A character may come in two pieces.
    const decoder = new StringDecoder('utf8');
    let size: Size | null = null;
    let lines = '';
    let waiting = 0;
    let number = 0;
    let bytes = 0;
    let failed = false;
    let writing: Promise<void> | null = null;

    const line = (kind: 'o' | 'r', data: string) => {
      const at = ((runtime.monotonic() - startedAt) / 1_000).toFixed(6);
      lines += `[${at}, "${kind}", ${JSON.stringify(data)}]\n`;
    };

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

    function flush(): void {
      if (lines === '' || failed) return;
      const piece = lines;
      const [mine, total] = [number++, bytes];
      lines = '';
      waiting += piece.length;
      write(async () => {
        await store.append(id, mine, piece, total);
        waiting -= piece.length;
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
        const text = decoder.write(chunk);
        if (text !== '') line('o', text);
        if (lines.length >= PIECE) flush();
      },
      resized(given) {
        if (size !== null || writing !== null) line('r', `${given.cols}x${given.rows}`);
        size ??= given;
      },
      flush,
      async end() {
        const rest = decoder.end();
        if (rest !== '') line('o', rest);
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
