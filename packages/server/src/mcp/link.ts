import type { Id, Message } from './json-rpc.ts';

/** Hears what comes over a link. */
export interface LinkListener {
  /** @param about the request of ours whose answer's stream brought it; null where nothing says so */
  message(message: Message, about: Id | null): void;
  /** No answer to this request will come. `unsent`: the server surely did not act upon it. */
  lost(about: Id, error: Error, unsent: boolean): void;
  /** Nothing comes over it any more. */
  closed(error: Error): void;
}

/** A conversation with one legacy server: over HTTP, or on the lines of a process. It carries messages, and knows nothing of what they mean. */
export interface Link {
  send(message: Message): void;
  /** Nobody waits for the answer to this request any more. */
  drop(id: Id): void;
  /** The handshake is over; the server's own stream may begin. */
  begun(version: string): void;
  close(): void;
}

export type OpenLink = (listener: LinkListener) => Link;
