import { useSyncExternalStore } from 'react';
import type { Topic } from '../api/types.ts';

export type LiveState = 'connecting' | 'live' | 'lost';

const MAX_WAIT = 15_000;
const UNSEEN = 60_000;
/** A page that is still here after this was not left: a download began, or the other site did not answer. */
const LEFT = 10_000;

const stateListeners = new Set<() => void>();
const changeListeners = new Set<(topic: Topic | 'everything') => void>();
let state: LiveState = 'connecting';
let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let wait = 500;
let reopenNow: () => void = () => {};

function setState(next: LiveState): void {
  if (state === next) return;
  state = next;
  for (const listener of stateListeners) listener();
}

/**
 * Opens the one stream that every list lives on; at each opening everything on show is fetched again, so that nothing that happened
 * before it is missed. `onEnd` is called when this browser is signed in no more; a session that another window has replaced is no end.
 * @returns stop
 */
export function startLive(onEnd: () => void): () => void {
  let stopped = false;
  let away: ReturnType<typeof setTimeout> | undefined;

  const open = () => {
    source = new EventSource('/api/v1/events');
    source.addEventListener('open', () => {
      wait = 500;
      setState('live');
      tell('everything');
    });
    source.addEventListener('change', event => tell((JSON.parse(event.data) as { topic: Topic }).topic));
    source.addEventListener('end', () => {
      pauseLive();
      void reopen();
    });
    source.addEventListener('error', () => {
      setState('lost');
      // An EventSource retries a broken line by itself, but gives up on an answer that is not 200: then it is on us.
      if (source?.readyState === EventSource.CLOSED) {
        retry = setTimeout(reopen, wait);
        wait = Math.min(wait * 2, MAX_WAIT);
      }
    });
  };
  const reopen = async () => {
    const answer = await fetch('/api/v1/me', { headers: { accept: 'application/json' } }).catch(() => null);
    if (stopped || source !== null) return;
    if (answer?.status === 401) onEnd();
    else open();
  };
  // On the way to a provider the old session ends: its news must not turn us back.
  const leaving = () => {
    pauseLive();
    retry = setTimeout(reopen, LEFT);
  };
  // A browser opens six connections to one HTTP/1 server: windows that nobody looks at give theirs back.
  const seen = () => {
    clearTimeout(away);
    if (document.hidden) away = setTimeout(pauseLive, UNSEEN);
    else if (source === null) void reopen();
  };
  const stop = () => {
    stopped = true;
    clearTimeout(away);
    document.removeEventListener('visibilitychange', seen);
    removeEventListener('beforeunload', leaving);
    pauseLive();
  };
  document.addEventListener('visibilitychange', seen);
  addEventListener('beforeunload', leaving);
  reopenNow = () => void reopen();
  open();
  return stop;
}

/** Hears nothing until `resumeLive`. */
export function pauseLive(): void {
  clearTimeout(retry);
  source?.close();
  source = null;
}

export function resumeLive(): void {
  if (source === null) reopenNow();
}

function tell(topic: Topic | 'everything'): void {
  for (const listener of changeListeners) listener(topic);
}

export function onChange(listener: (topic: Topic | 'everything') => void): () => void {
  changeListeners.add(listener);
  return () => changeListeners.delete(listener);
}

/** Whether lists are live right now. */
export function useLiveState(): LiveState {
  return useSyncExternalStore(
    listener => {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    () => state,
  );
}
