import type { ByeCode } from '@sallyport/protocol/notice.ts';
import type { AppError } from '../platform/errors.ts';

/** An agent's connection, of whatever protocol, as those who keep account of it see it. */
export interface Peer {
  /** Each connection has a higher one than all before it. */
  readonly epoch: number;
  readonly over: boolean;
  /** Why nothing more can be carried, or null. */
  readonly full: AppError | null;
  /** Resolves with why, when it is over. */
  readonly ended: Promise<string>;
  /** Lets calls end whose readers take nothing; to be called twice a minute. */
  lookForStalled?(): void;
  /** Ends what is under way, says goodbye where it can, and hangs up. */
  bye(code: ByeCode, detail: string): Promise<void>;
}
