/** Before the first try again, milliseconds, at most; each further one may wait twice as long … */
const FIRST = 500;
/** … up to this, so that all are back five seconds after their gateway is. */
const LONGEST = 5_000;

/**
 * How long to wait before a try, with full jitter: anything between nothing and a bound that doubles, so that thousands of agents whose
 * gateway came back do not come as one.
 * @param failures in a row, 1 or more
 * @param random from 0 to below 1
 */
export function fullJitter(failures: number, random: number): number {
  return random * Math.min(LONGEST, FIRST * 2 ** (failures - 1));
}
