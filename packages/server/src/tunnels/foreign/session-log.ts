/** What of a session's messages is kept for who comes back. */
const MOST_EVENTS = 256;
const MOST_BYTES = 1024 * 1024;

export interface LoggedMessage {
  readonly id: number;
  readonly text: string;
}

export interface SessionLog {
  add(text: string): void;
  /** @param after the last that was seen; null: only what comes from now on. `gap`: some behind it are kept no more */
  since(after: number | null): { readonly gap: boolean; readonly messages: readonly LoggedMessage[] };
  /** @returns unsubscribe */
  subscribe(listener: (message: LoggedMessage) => void): () => void;
}

/** The last messages of a session, numbered, and who listens. */
export function createSessionLog(): SessionLog {
  const kept: LoggedMessage[] = [];
  const listeners = new Set<(message: LoggedMessage) => void>();
  let bytes = 0;
  let last = 0;
  return {
    add(text) {
      const message = { id: ++last, text };
      kept.push(message);
      bytes += text.length;
      while (kept.length > MOST_EVENTS || (bytes > MOST_BYTES && kept.length > 1))
        bytes -= kept.shift()!.text.length;
      for (const listener of listeners) listener(message);
    },
    since(after) {
      if (after === null) return { gap: false, messages: [] };
      const first = kept[0]?.id ?? last + 1;
      // An id that was never given is another session's, or from before a restart.
      return { gap: after + 1 < first || after > last, messages: kept.filter(({ id }) => id > after) };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
