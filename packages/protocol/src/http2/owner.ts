import type { Http2Stream } from './stream.ts';

/** What an end says of itself. */
export interface Settings {
  /** Of each stream; it may be changed later. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly maxStreams: number;
  /** Of one head's, by HTTP/2's count (section 6.5.2). */
  readonly headerBytes: number;
}

/** What an end tells its owner. */
export interface Owner<Stream extends Http2Stream> {
  /** Puts bytes on their way. @param done they are with the system: more may follow */
  send(bytes: Buffer, done: () => void): void;
  /** It can be used no more. @param why for people */
  broken(why: string): void;
  /** The other end has confirmed the last settings. */
  settled(): void;
  /** A stream is over, and was read to its end. */
  left(stream: Stream): void;
}
