/** Bytes handed to the terminal and not drawn yet: enough to keep it busy, little enough that a key's echo is soon seen. */
const AT_ONCE = 512 * 1024;
/** Beyond this the window is behind, and stays so until it has caught up. */
const BEHIND = 8 * 1024 * 1024;

export interface FeedDeps {
  /** Draws, and calls `drawn` after. */
  readonly write: (bytes: Uint8Array, drawn: () => void) => void;
  /** Too much waits: no more is to come until `onCaughtUp`. */
  readonly onBehind: () => void;
  readonly onCaughtUp: () => void;
}

/**
 * Output on its way into the terminal, in order. A page cannot stop reading a WebSocket; so what comes faster than it can be drawn
 * waits here, and beyond a bound the owner is told to let go of the line.
 */
export function createFeed(deps: FeedDeps) {
  const waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let writing = 0;
  let behind = false;

  function pump(): void {
    while (waiting.length > 0 && writing < AT_ONCE) {
      const bytes = waiting.shift()!;
      waitingBytes -= bytes.byteLength;
      writing += bytes.byteLength;
      deps.write(bytes, () => {
        writing -= bytes.byteLength;
        pump();
        if (behind && waitingBytes === 0 && writing === 0) {
          behind = false;
          deps.onCaughtUp();
        }
      });
    }
  }

  return {
    push(bytes: Uint8Array): void {
      waiting.push(bytes);
      waitingBytes += bytes.byteLength;
      pump();
      if (!behind && waitingBytes > BEHIND) {
        behind = true;
        deps.onBehind();
      }
    },
  };
}
