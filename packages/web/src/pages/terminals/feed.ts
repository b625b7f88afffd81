/** Bytes handed to the terminal and not drawn yet: enough to keep it busy, little enough that a key's echo is soon seen. */
const AT_ONCE = 256 * 1024;
/** With so much waiting the shell is to wait as well, and with so little it may go on. */
const ENOUGH = 1024 * 1024;
const LITTLE = 128 * 1024;
/** A window that nobody looks at is given little time to draw, which must not hold up a long build. */
const ENOUGH_UNSEEN = 32 * 1024 * 1024;

export interface FeedDeps {
  /** Draws, and calls `drawn` after. */
  readonly write: (bytes: Uint8Array, drawn: () => void) => void;
  readonly onFull: (full: boolean) => void;
  readonly unseen: () => boolean;
}

/**
 * Output on its way into the terminal, in order. A page cannot stop reading a WebSocket; so what comes faster than it can be drawn
 * waits here, and its sender is asked to wait.
 */
export function createFeed(deps: FeedDeps) {
  const waiting: (Uint8Array | (() => void))[] = [];
  let waitingBytes = 0;
  let writing = 0;
  let full = false;

  function pump(): void {
    while (waiting.length > 0 && writing < AT_ONCE) {
      const next = waiting.shift()!;
      if (typeof next === 'function') {
        deps.write(new Uint8Array(0), next);
        continue;
      }
      waitingBytes -= next.byteLength;
      writing += next.byteLength;
      deps.write(next, () => {
        writing -= next.byteLength;
        pump();
      });
    }
    if (full && waitingBytes < LITTLE) deps.onFull((full = false));
  }

  return {
    get full(): boolean {
      return full;
    },
    push(bytes: Uint8Array): void {
      waiting.push(bytes);
      waitingBytes += bytes.byteLength;
      pump();
      if (!full && waitingBytes > (deps.unseen() ? ENOUGH_UNSEEN : ENOUGH)) deps.onFull((full = true));
    },
    /** Once everything that was pushed before is drawn. */
    after(work: () => void): void {
      waiting.push(work);
      pump();
    },
  };
}
