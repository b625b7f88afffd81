import { type ApiError, api, asApiError } from '../../api/client.ts';

/** A server of terminals that the person may use. */
export interface TerminalUpstream {
  id: string;
  name: string;
  /** Its shells run on the gateway's own machine. */
  embedded: boolean;
  /** What happens in its terminals is recorded. */
  recording: boolean;
}

/** One of the person's own terminals. */
export interface RunningTerminal {
  upstream: string;
  id: string;
  created_at: string | null;
  /** Whether some window or program is at it now. */
  attached: boolean;
}

export interface Terminals {
  upstreams: TerminalUpstream[];
  running: RunningTerminal[];
  /** Upstreams that did not tell what runs there. */
  failing: { upstream: string; error: ApiError }[];
}

/** A tunnel's upstream is `user/name`: its parts stay parts of the path. */
export const pathOf = (upstream: string): string =>
  `/terminals/${upstream.split('/').map(encodeURIComponent).join('/')}/api/terminals`;

export const pathOfTerminal = (upstream: string, id: string): string =>
  `${pathOf(upstream)}/${encodeURIComponent(id)}`;

/** Where the console shows this terminal; the part after `#` is never sent to anybody. */
export const pageOf = (upstream: string, id: string): string =>
  `/terminal#${encodeURIComponent(upstream)}/${encodeURIComponent(id)}`;

export async function createTerminal(upstream: string): Promise<RunningTerminal> {
  const { id, created_at } = await api.post<{ id: string; created_at: string | null }>(pathOf(upstream), {});
  return { upstream, id, created_at, attached: false };
}

export const endTerminal = (upstream: string, id: string): Promise<void> =>
  api.delete(pathOfTerminal(upstream, id));

/** Status of a plain look at one terminal; 0 without an answer. */
export async function lookAt(upstream: string, id: string): Promise<number> {
  try {
    const answer = await fetch(pathOfTerminal(upstream, id), {
      credentials: 'same-origin',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(10_000),
    });
    return answer.status;
  } catch {
    return 0;
  }
}

export async function listTerminals(): Promise<Terminals> {
  const { terminals: upstreams } = await api.get<{ terminals: TerminalUpstream[] }>('/terminals/');
  const failing: Terminals['failing'] = [];
  const lists = await Promise.all(
    upstreams.map(async ({ id: upstream }) => {
      try {
        const found = await api.get<Omit<RunningTerminal, 'upstream'>[]>(pathOf(upstream));
        return found.map(({ id, created_at, attached }) => ({ upstream, id, created_at, attached }));
      } catch (error) {
        failing.push({ upstream, error: asApiError(error) });
        return [];
      }
    }),
  );
  return { upstreams, running: lists.flat(), failing };
}
