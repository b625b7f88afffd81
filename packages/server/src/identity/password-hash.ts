import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';

/** Memory in KiB, passes, lanes. */
interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** The first of those that OWASP's Password Storage Cheat Sheet holds for equally strong: a tenth of a second, 46 MiB. */
const COST: Cost = { memory: 47_104, passes: 1, parallelism: 1 };
/** RFC 9106 section 3.1: 128 bits of salt, 256 of tag. */
const SALT = 16;
const TAG = 32;
/** At a time, so that a flood cannot eat the memory; and they leave half of libuv's threads to files and names. */
const AT_ONCE = 2;
/** How many may wait for their turn before the next is sent away. */
const WAITING = 30;

/** `$argon2id$v=19$m=…,t=…,p=…$salt$tag`, base64 without padding. */
const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

export interface PasswordHashing {
  /** @returns the password as it is stored, under a salt of its own */
  hash(password: string): Promise<string>;
  /**
   * Whether it is the password. Without a stored hash the same work is done, so that time does not tell who has an account.
   * `stale`: it was hashed at another cost than the one of today.
   * @throws AppError `unavailable` with `retry-after` when too many wait
   */
  verify(password: string, stored: string | null): Promise<{ matches: boolean; stale: boolean }>;
}

/** Passwords by argon2id (RFC 9106), a few at a time in this process. */
export function createPasswordHashing(deps: {
  runtime: Pick<Runtime, 'random'>;
  cost?: Cost;
}): PasswordHashing {
  const { runtime, cost = COST } = deps;
  const turn = createTurns();
  /** Nobody's: what there is to compare with where there is no account. */
  const nobody = written(cost, runtime.random(SALT), runtime.random(TAG));

  return {
    async hash(password) {
      const salt = runtime.random(SALT);
      return written(cost, salt, await turn(() => derive(password, cost, salt, TAG)));
    },

    async verify(password, stored) {
      const known = read(stored ?? nobody);
      const tag = await turn(() => derive(password, known.cost, known.salt, known.tag.length));
      const matches = timingSafeEqual(tag, known.tag) && stored !== null;
      const stale =
        known.cost.memory !== cost.memory ||
        known.cost.passes !== cost.passes ||
        known.cost.parallelism !== cost.parallelism;
      return { matches, stale };
    },
  };
}

const argon2Async = promisify(argon2);

/** One password, however a keyboard composed its characters (NIST SP 800-63B section 3.1.1.2). */
const derive = (password: string, cost: Cost, salt: Buffer, tagLength: number): Promise<Buffer> =>
  argon2Async('argon2id', { message: password.normalize('NFKC'), nonce: salt, tagLength, ...cost });

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

const written = ({ memory, passes, parallelism }: Cost, salt: Buffer, tag: Buffer): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;

function read(stored: string): { cost: Cost; salt: Buffer; tag: Buffer } {
  const found = PHC.exec(stored);
  if (found === null) throw new AppError('internal', 'A stored password is not in the form that we write.');
  const [, memory, passes, parallelism, salt, tag] = found;
  return {
    cost: { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
    salt: Buffer.from(salt!, 'base64'),
    tag: Buffer.from(tag!, 'base64'),
  };
}

/** Lets a few work at a time; the others wait in their order, and those beyond are sent away. */
function createTurns() {
  const waiting: (() => void)[] = [];
  let busy = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (busy >= AT_ONCE) {
      if (waiting.length >= WAITING) {
        throw new AppError('unavailable', 'Too many people are signing in just now; try again in a moment.', {
          headers: { 'retry-after': '2' },
        });
      }
      await new Promise<void>(resolve => waiting.push(resolve));
    } else busy += 1;
    try {
      return await work();
    } finally {
      // The turn is handed on, not given back, so that nobody new slips in before who waits.
      const next = waiting.shift();
      if (next === undefined) busy -= 1;
      else next();
    }
  };
}
