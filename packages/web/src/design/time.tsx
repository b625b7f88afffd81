import { useSyncExternalStore } from 'react';
import { timeFromNow } from './from-now.ts';

const absolute = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

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
