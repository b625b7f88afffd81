import { useSyncExternalStore } from 'react';

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** `3 minutes ago`, `in 2 days`, `just now`. */
export function timeFromNow(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 10 ? `in ${seconds} seconds` : seconds < -10 ? `${-seconds} seconds ago` : 'just now';
}

let now = Date.now();
const listeners = new Set<() => void>();
setInterval(() => {
  now = Date.now();
  for (const listener of listeners) listener();
}, 15_000);

function useNow(): number {
  return useSyncExternalStore(
    listener => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => now,
  );
}

/** A moment as people say it, with the exact time on hover; `none` when there is no such moment. */
export function Moment({ at, none = 'never' }: { at: string | null; none?: string }) {
  const current = useNow();
  if (at === null) return <>{none}</>;
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={absolute.format(time)}>
      {timeFromNow(time, current)}
    </time>
  );
}

/** The exact time, for logs. */
export function Stamp({ at }: { at: string }) {
  return (
    <time dateTime={at} className="mono">
      {absolute.format(Date.parse(at))}
    </time>
  );
}
