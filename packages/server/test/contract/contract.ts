import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import { CALLS } from './checks-calls.ts';
import { LIFE } from './checks-life.ts';
import { type Stand, startStand } from './stand.ts';

/** One thing that PROTOCOL.md demands of an agent. */
export interface Check {
  /** Of PROTOCOL.md. */
  readonly section: string;
  readonly claim: string;
  /** It begins with nothing running, and leaves something behind. */
  readonly alone?: true;
  /** @throws what is not so, for whoever wrote the implementation */
  run(stand: Stand): Promise<void>;
}

export interface Verdict {
  readonly section: string;
  readonly claim: string;
  /** Null where it holds. */
  readonly problem: string | null;
}

/** Milliseconds for one check, in which anything that is asked for happens many times over. */
const LIMIT = 15_000;

/**
 * Holds an implementation of the tunnel's protocol to it, against a real gateway.
 * @param command starts it; see `startStand`
 * @param options.told hears of each verdict as it falls
 * @param options.only checks whose claim fits
 * @param options.limit milliseconds for one check
 */
export async function holdToContract(
  command: readonly string[],
  options: { told?(verdict: Verdict): void; only?: RegExp; limit?: number } = {},
): Promise<Verdict[]> {
  await using stand = await startStand(command);
  const verdicts: Verdict[] = [];
  for (const check of [...CALLS, ...LIFE].filter(({ claim }) => options.only?.test(claim) ?? true)) {
    if (check.alone) await stand.fresh();
    const problem = await problemOf(check, stand, options.limit ?? LIMIT);
    const verdict = { section: check.section, claim: check.claim, problem };
    verdicts.push(verdict);
    options.told?.(verdict);
    stand.local.intercept = null;
    if (problem !== null || check.alone) await stand.fresh();
  }
  return verdicts;
}

async function problemOf(check: Check, stand: Stand, limit: number): Promise<string | null> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`nothing came of it within ${limit / 1_000} s`)), limit);
  try {
    await Promise.race([check.run(stand), late]);
    return null;
  } catch (error) {
    return saidOf(error as Error);
  } finally {
    clearTimeout(timer);
  }
}

/** In one line; of what was compared, both sides. */
function saidOf(error: Error): string {
  const [said] = error.message.split('\n');
  if (!(error instanceof AssertionError) || !/equal/i.test(error.operator)) return said!;
  const sides = `expected ${inspect(error.expected)}, and it was ${inspect(error.actual)}`;
  return error.generatedMessage ? sides : `${said}: ${sides}`;
}

/** A verdict as a line, with its problem below it. */
export const lineOf = ({ section, claim, problem }: Verdict): string =>
  `${problem === null ? 'ok  ' : 'FAIL'}  §${section}  ${claim}${problem === null ? '' : `\n          ${problem}`}`;
