const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** What was set for 90 days a minute ago still ends in three months, and not in two. */
const SINCE_SET = 1.01;

/** `3 minutes ago`, `in 2 days`, `just now`. */
export function timeFromNow(at: number, now: number): string {
  const exact = (at - now) / 1000;
  const seconds = exact > 0 ? exact * SINCE_SET : Math.round(exact);
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 10
    ? `in ${Math.round(exact)} seconds`
    : seconds < -10
      ? `${-seconds} seconds ago`
      : 'just now';
}
