import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import { CALLS } from './checks-calls.ts';
import { DIRECT } from './checks-direct.ts';
import { LIFE } from './checks-life.ts';
import { PROGRAMS } from './checks-programs.ts';
import { type Commands, type Stand, startStand } from './stand.ts';

/** One thing that PROTOCOL.md demands of an agent. */
export interface Check {
  /** Of PROTOCOL.md. */
  readonly section: string;
  readonly claim: string;
  /** It begins with nothing running, and leaves something behind. */
  readonly alone?: true;
  /** The command without which it cannot be looked at. */
  readonly needs?: Exclude<keyof Commands, 'usual'>;
  /** What has to pass besides, by the implementation's own clock, milliseconds. */
  readonly waits?: number;
  /** @param pace how much faster than the world's its clock runs @throws what is not so, for whoever wrote the implementation */
  run(stand: Stand, pace: number): Promise<void>;
}

export interface Verdict {
  readonly section: string;
  readonly claim: string;
  /** Null where it holds, or was not looked at. */
  readonly problem: string | null;
  /** What would have to be given to look at it. */
  readonly lacks?: string;
}

/** Milliseconds for one check, in which anything that is asked for happens many times over. */
const LIMIT = 15_000;

/**
 * Holds an implementation of the tunnel's protocol to it, against a real gateway.
 * @param commands start it; see `startStand`
 * @param options.told hears of each verdict as it falls
 * @param options.only checks whose claim fits
 * @param options.limit milliseconds for one check
 * @param options.pace how much faster than the world's its clock runs
 */
export async function holdToContract(
  commands: Commands,
  options: { told?(verdict: Verdict): void; only?: RegExp; limit?: number; pace?: number } = {},
): Promise<Verdict[]> {
  await using stand = await startStand(commands);
  const { limit = LIMIT, pace = 1 } = options;
  const verdicts: Verdict[] = [];
  const tell = (verdict: Verdict) => {
    verdicts.push(verdict);
    options.told?.(verdict);
  };
  const all = [...CALLS, ...DIRECT, ...PROGRAMS, ...LIFE];
  for (const check of all.filter(({ claim }) => options.only?.test(claim) ?? true)) {
    const { section, claim, needs, waits = 0 } = check;
    if (needs !== undefined && commands[needs] === undefined) {
      tell({ section, claim, problem: null, lacks: `--${needs}` });
      continue;
    }
    if (check.alone) await stand.fresh();
    const problem = await problemOf(check.run(stand, pace), limit + waits / pace);
    tell({ section, claim, problem });
    stand.local.intercept = null;
    if (problem !== null || check.alone) await stand.fresh();
  }
  return verdicts;
}

async function problemOf(run: Promise<void>, limit: number): Promise<string | null> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`nothing came of it within ${limit / 1_000} s`)), limit);
  try {
    await Promise.race([run, late]);
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
export function lineOf({ section, claim, problem, lacks }: Verdict): string {
  if (lacks !== undefined) return `--    §${section}  ${claim}\n          not looked at: give ${lacks}`;
  return `${problem === null ? 'ok  ' : 'FAIL'}  §${section}  ${claim}${problem === null ? '' : `\n          ${problem}`}`;
}
