import { useCallback, useEffect, useSyncExternalStore } from 'react';
import { type ApiError, api, asApiError } from '../api/client.ts';
import type { Topic } from '../api/types.ts';
import { announceQuietly } from './announce.tsx';
import { onChange } from './events.ts';

/** Something of the API that a page shows. Data stays on show while it is fetched again, and when that fails. */
export interface Resource<T> {
  readonly data: T | null;
  readonly error: ApiError | null;
  reload(): void;
}

interface Entry {
  topics: readonly Topic[];
  snapshot: { data: unknown; error: ApiError | null };
  readonly listeners: Set<() => void>;
  /** Counts fetches, so that a slow old answer never covers a newer one. */
  asked: number;
  text: string | null;
}

const entries = new Map<string, Entry>();

function entryOf(path: string, topics: readonly Topic[]): Entry {
  let entry = entries.get(path);
  if (entry === undefined) {
    entry = { topics, snapshot: { data: null, error: null }, listeners: new Set(), asked: 0, text: null };
    entries.set(path, entry);
  }
  return entry;
}

/** @param changed the topic whose change is the reason, when there was one */
async function load(path: string, entry: Entry, changed: Topic | null = null): Promise<void> {
  const turn = ++entry.asked;
  let next: Entry['snapshot'];
  try {
    next = { data: await api.get(path), error: null };
  } catch (error) {
    next = { data: entry.snapshot.data, error: asApiError(error) };
  }
  if (turn !== entry.asked) return;
  // The same answer keeps the same objects, so that an unrelated change redraws nothing.
  const text = next.error === null ? JSON.stringify(next.data) : null;
  if (text !== null && text === entry.text) return;
  entry.text = text;
  entry.snapshot = next;
  for (const listener of entry.listeners) listener();
  // Figures change all the time: nobody could listen to that.
  if (changed !== null && changed !== 'tunnels') announceQuietly(`The list of ${changed} was updated.`);
}

onChange(topic => {
  for (const [path, entry] of entries) {
    if (topic !== 'everything' && !entry.topics.includes(topic)) continue;
    if (entry.listeners.size > 0) void load(path, entry, topic === 'everything' ? null : topic);
    else entries.delete(path);
  }
});

/** Fetches `path` and keeps it fresh: again on every change of one of `topics`, and when the page is shown anew. */
export function useResource<T>(path: string, topics: readonly Topic[]): Resource<T> {
  const entry = entryOf(path, topics);
  const subscribe = useCallback(
    (listener: () => void) => {
      entry.listeners.add(listener);
      return () => entry.listeners.delete(listener);
    },
    [entry],
  );
  const snapshot = useSyncExternalStore(subscribe, () => entry.snapshot);
  const reload = useCallback(() => void load(path, entry), [path, entry]);
  useEffect(reload, [reload]);
  return { data: snapshot.data as T | null, error: snapshot.error, reload };
}
