const PIECE = 16 * 1024;
/** What may wait in the socket before the next piece. */
const WAITING = 64 * 1024;
const LOOK_AGAIN = 15;

/**
 * What a paste types: line ends as the Enter key, and no control characters but tabs, so that what a page put on the clipboard
 * cannot press keys (an escape sequence could end the bracketed paste early and run what follows).
 */
export function typedText(text: string): string {
  return text.replace(/\r?\n/g, '\r').replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, '');
}

/** UTF-8, in pieces that never split a character. */
export function piecesOf(text: string): Uint8Array<ArrayBuffer>[] {
  const bytes = new TextEncoder().encode(text);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = Math.min(at + PIECE, bytes.length);
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

/**
 * Sends a text of any size without filling the socket: the next piece goes when the network has taken the last ones.
 * @param type sends one piece; false when the keyboard is gone, which ends the paste
 * @param onProgress bytes sent, and of how many
 * @returns whether all of it went
 */
export async function sendPaste(deps: {
  pieces: readonly Uint8Array<ArrayBuffer>[];
  type: (piece: Uint8Array<ArrayBuffer>) => boolean;
  pending: () => number;
  signal: AbortSignal;
  onProgress: (sent: number, of: number) => void;
  pause?: (ms: number) => Promise<void>;
}): Promise<boolean> {
  const pause = deps.pause ?? (ms => new Promise(resolve => setTimeout(resolve, ms)));
  const of = deps.pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  let sent = 0;
  for (const piece of deps.pieces) {
    while (deps.pending() > WAITING && !deps.signal.aborted) await pause(LOOK_AGAIN);
    if (deps.signal.aborted || !deps.type(piece)) return false;
    sent += piece.byteLength;
    deps.onProgress(sent, of);
  }
  return true;
}
