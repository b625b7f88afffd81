import type { AppError } from '../platform/errors.ts';

/** What comes of a line, told to whoever opened it. */
export interface MessageLineEvents {
  /** One JSON-RPC message from the server, as it wrote it. */
  message(text: string): void;
  /** The last event. Null: we closed it. Else why no more comes: what was in flight has no answer. */
  closed(error: AppError | null): void;
}

/**
 * The JSON-RPC messages of one running server that speaks on standard input and output, or through a foreign agent's frames. Nothing is
 * understood of them on the way.
 */
export interface PlainLine {
  /**
   * @param message one JSON-RPC message without a line break in it
   * @throws AppError `unavailable` while the server reads too slowly, `body_too_large`: it was not sent
   */
  send(message: string): void;
  /** The server is read no further until `resume`; what is on its way still comes. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** One whose calls are counted. */
export interface MessageLine extends PlainLine {
  /** @param asks the message's id, where it is a request: a call that is under way until it is settled */
  send(message: string, asks?: string | number): void;
  /** @param answered whether its answer came; else nobody waits for it any more */
  settled(asks: string | number, answered: boolean): void;
}

/** Which running server is meant, and how it is had. */
export interface LineWanted {
  /** An opaque key; one server for each is started where the agent isolates. */
  readonly instance: string;
  /** A throw-away sibling, to find out what the server speaks: the one that serves never sees it. */
  readonly probe?: boolean;
}
