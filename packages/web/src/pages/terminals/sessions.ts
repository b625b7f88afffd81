import { createSession, type Session } from './session.ts';
import { takeFresh } from './use-terminals.ts';

/** The terminals this window is at, by `upstream/id`: they stay connected while the person looks at another page of the console. */
const sessions = new Map<string, Session>();
const listeners = new Set<() => void>();
let snapshot: readonly Session[] = [];

export interface TerminalName {
  readonly upstream: string;
  readonly id: string;
}

export const keyOf = ({ upstream, id }: TerminalName): string => `${upstream}/${id}`;

function changed(): void {
  snapshot = [...sessions.values()];
  for (const listener of listeners) listener();
}

export const openSessions = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  all: (): readonly Session[] => snapshot,
};

export const sessionOf = (terminal: TerminalName): Session | undefined => sessions.get(keyOf(terminal));

/** Opens a terminal in this window, to type in it or only to watch. */
export function openSession(terminal: TerminalName, mode: 'take' | 'watch'): Session {
  const { upstream, id } = terminal;
  const session = createSession({ upstream, id }, { fresh: takeFresh(keyOf(terminal)) });
  sessions.set(keyOf(terminal), session);
  session.connect(mode);
  changed();
  return session;
}

/** Forgets it in this window; the shell itself is not touched. */
export function closeSession(terminal: TerminalName): void {
  sessionOf(terminal)?.dispose();
  sessions.delete(keyOf(terminal));
  changed();
}
