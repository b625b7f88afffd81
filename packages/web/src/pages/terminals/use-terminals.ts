import { useSyncExternalStore } from 'react';
import { asApiError } from '../../api/client.ts';
import { onChange } from '../../live/events.ts';
import type { Resource } from '../../live/resource.ts';
import { listTerminals, type RunningTerminal, type Terminals } from './terminal-api.ts';

/** How often to look while the page is seen: a shell that nobody is attached to ends without a word. */
const LOOK_AGAIN = 8_000;
/** Changes close together are fetched as one, milliseconds. */
const SETTLE = 150;

let snapshot: Resource<Terminals> = { data: null, error: null, reload };
const listeners = new Set<() => void>();
let asked = 0;
let text = '';

function set(next: Resource<Terminals>): void {
  const said = JSON.stringify([next.data, next.error?.message]);
  if (said === text) return;
  text = said;
  snapshot = next;
  for (const listener of listeners) listener();
}

async function load(): Promise<void> {
  const turn = ++asked;
  try {
    const data = await listTerminals();
    if (turn === asked) set({ data, error: null, reload });
  } catch (error) {
    if (turn === asked) set({ data: snapshot.data, error: asApiError(error), reload });
  }
}

function reload(): void {
  void load();
}

/** Terminals that this window has made and not opened yet. */
const fresh = new Set<string>();

/** @returns whether this window has made it just now; true once */
export const takeFresh = (key: string): boolean => fresh.delete(key);

/** Puts into the list what this window knows already, before the gateway is asked again. */
export function started(terminal: RunningTerminal): void {
  const { data } = snapshot;
  fresh.add(`${terminal.upstream}/${terminal.id}`);
  if (data !== null) set({ ...snapshot, data: { ...data, running: [...data.running, terminal] } });
  reload();
}

export function ended(upstream: string, id: string): void {
  const { data } = snapshot;
  if (data === null) return;
  const running = data.running.filter(other => other.upstream !== upstream || other.id !== id);
  asked++;
  set({ ...snapshot, data: { ...data, running } });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  reload();
  const timer = setInterval(() => document.hidden || reload(), LOOK_AGAIN);
  let soon: ReturnType<typeof setTimeout> | undefined;
  const forget = onChange(topic => {
    if (topic === 'everything' || topic === 'upstreams') reload();
    if (topic !== 'terminals') return;
    clearTimeout(soon);
    soon = setTimeout(reload, SETTLE);
  });
  return () => {
    listeners.delete(listener);
    clearInterval(timer);
    clearTimeout(soon);
    forget();
  };
}

/** My terminals on every upstream, kept fresh while it is on show. */
export const useTerminals = (): Resource<Terminals> => useSyncExternalStore(subscribe, () => snapshot);
