import { AppError } from '../platform/errors.ts';
import type { Call, Destination } from '../terms/journey.ts';
import type { Principal } from '../terms/principal.ts';
import type { OutboundRequest, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { type ReadAnswer, readAnswer } from './read-answer.ts';
import {
  isTerminalId,
  noSuchTerminal,
  serverPath,
  type Target,
  targetOf,
  terminalPath,
  terminalServerOf,
} from './target.ts';
import type { Terminal, TerminalStore } from './terminal-store.ts';

/** What an orchestrator may be told a terminal belongs to. */
const CONTEXT = /^(?:default|(?:chat|automation):[A-Za-z0-9._-]{1,128})$/;
/** What names a caller in the query of a WebSocket; said by us, or not at all. */
const OURS = new Set(['user_id', 'context_id', 'token']);

export interface ProxyDeps {
  upstreams: { find(id: string, asker: Principal): Upstream | undefined };
  store: Pick<TerminalStore, 'add' | 'find' | 'of' | 'isAnothers' | 'remove'>;
  /** Somebody's list of terminals is not what it was. */
  changed(userId: string): void;
  /** Who is attached now, what is kept open for whoever comes back, and the end of all that. */
  attached: {
    has(upstreamId: string, id: string): boolean;
    holds(upstreamId: string, id: string): boolean;
    end(upstreamId: string, id: string): void;
  };
}

/**
 * Every HTTP call to a terminal server: passed on as it is, but that each says whose it is, and that a terminal is its maker's alone.
 * @throws AppError `not_found`, `bad_path`, `bad_request`
 */
export function createProxy(deps: ProxyDeps) {
  const { store, attached } = deps;

  return async (call: Call, path: string, principal: Principal): Promise<Destination> => {
    if (principal.proof === 'anonymous')
      throw new AppError('unauthenticated', 'A terminal is somebody’s: sign in.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    const { upstream, rest } = terminalServerOf(path, principal, deps.upstreams);
    const target = targetOf(rest);
    const { 'x-session-id': session, 'x-terminal-context-id': context } = call.headers;
    if (context !== undefined && !CONTEXT.test(String(context)))
      throw new AppError('bad_request', 'X-Terminal-Context-Id: expected default, chat:ID or automation:ID.');
    const terminal = target.what === 'terminal' ? await own(upstream, target.id, principal) : null;
    // A session's directory is that of the terminal made in it; and older servers give the terminal the session's name.
    if (session !== undefined && (await store.isAnothers(upstream.id, String(session), principal.userId)))
      throw noSuchTerminal();
    const made = {
      upstreamId: upstream.id,
      userId: principal.userId,
      sessionId: (session as string | undefined) ?? null,
      contextId: (context as string | undefined) ?? null,
    };
    const reader = readerOf(call.req.method!, target, made);
    return {
      upstream,
      path: `${serverPath(upstream, pathOf(target))}${queryOf(target, call.query)}`,
      via: way => ({
        send: (request, receiver) =>
          send(way, request, receiver, { userId: principal.userId, terminal, reader }),
      }),
    };
  };

  async function own(upstream: Upstream, id: string, { userId }: Principal): Promise<Terminal> {
    const terminal = await store.find(upstream.id, id);
    if (terminal?.userId !== userId) throw noSuchTerminal();
    return terminal;
  }

  /** What has to be known of the answer; null: nothing, it streams. */
  function readerOf(method: string, target: Target, made: Omit<Parameters<TerminalStore['add']>[0], 'id'>) {
    const { upstreamId, userId } = made;
    if (target.what === 'terminals' && method === 'POST')
      return (answer: ReadAnswer) => creation(answer, made);
    if (target.what === 'terminals' && method === 'GET') return (answer: ReadAnswer) => ownOf(answer, made);
    if (target.what === 'terminal' && target.tail === '')
      return async ({ status }: ReadAnswer) => {
        if (status !== 404 && (method !== 'DELETE' || status >= 300)) return;
        attached.end(upstreamId, target.id);
        await store.remove(upstreamId, target.id);
        deps.changed(userId);
      };
    return null;
  }

  /** Whose it is stands in the database before its maker knows its name. */
  async function creation(
    { status, body }: ReadAnswer,
    made: Omit<Parameters<TerminalStore['add']>[0], 'id'>,
  ): Promise<undefined> {
    if (status >= 300) return;
    const id = (body as { id?: unknown } | null | undefined)?.id;
    if (!isTerminalId(id))
      throw new AppError(
        'upstream_failed',
        `The terminal server ${made.upstreamId} gave the terminal no usable id.`,
      );
    // Older servers overwrite a terminal of the same session: what was attached to it is over.
    attached.end(made.upstreamId, id);
    if (!(await store.add({ ...made, id })))
      throw new AppError('conflict', 'The terminal server gave out an id that is in use.');
    deps.changed(made.userId);
  }

  async function ownOf(
    { status, body }: ReadAnswer,
    { upstreamId, userId, sessionId, contextId }: Omit<Parameters<TerminalStore['add']>[0], 'id'>,
  ): Promise<unknown> {
    if (status >= 300) return undefined;
    if (!Array.isArray(body))
      throw new AppError(
        'upstream_failed',
        `The terminal server ${upstreamId} answered with no list of terminals.`,
      );
    const mine = await store.of(upstreamId, userId);
    const own = new Set(mine.map(({ id }) => id));
    const listed = body.filter((one): one is { id: string } =>
      own.has((one as { id?: string } | null)?.id ?? ''),
    );
    for (const { id } of listed) own.delete(id);
    // Servers of today list those of one session alone. What was made in another one, and is open here, runs as well.
    const others = mine
      .filter(one => own.has(one.id) && (one.sessionId !== sessionId || one.contextId !== contextId))
      .filter(({ id }) => attached.holds(upstreamId, id))
      .map(({ id, createdAt }) => ({ id, created_at: new Date(createdAt).toISOString(), pid: null }));
    return [...listed, ...others].map(one => ({ ...one, attached: attached.has(upstreamId, one.id) }));
  }
}

/** Whoever may use terminals is known to the server by our word for them. */
function send(
  way: Transport,
  request: OutboundRequest,
  receiver: ResponseReceiver,
  about: {
    userId: string;
    terminal: Terminal | null;
    reader: ((answer: ReadAnswer) => Promise<unknown>) | null;
  },
): void {
  const { userId, terminal, reader } = about;
  let { headers } = request;
  // What is read comes as it is.
  if (reader !== null) headers = without(headers, ['accept-encoding']);
  if (terminal !== null) {
    // To some servers a terminal is there in its own session alone.
    headers = without(headers, ['x-session-id', 'x-terminal-context-id']);
    if (terminal.sessionId !== null) headers.push('x-session-id', terminal.sessionId);
    if (terminal.contextId !== null) headers.push('x-terminal-context-id', terminal.contextId);
  }
  way.send(
    { ...request, headers: [...headers, 'x-user-id', userId] },
    reader === null ? receiver : readAnswer(receiver, reader),
  );
}

function without(headers: readonly string[], names: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < headers.length; i += 2)
    if (!names.includes(headers[i]!)) out.push(headers[i]!, headers[i + 1]!);
  return out;
}

function pathOf(target: Target): string {
  switch (target.what) {
    case 'terminals':
      return '/api/terminals';
    case 'terminal':
      return terminalPath(target.id, target.tail);
    case 'other':
      return target.path;
  }
}

/** Files and ports get their query as it came. */
function queryOf({ what }: Target, query: string): string {
  if (what === 'other' || query === '') return query;
  const kept = query
    .slice(1)
    .split('&')
    .filter(pair => !OURS.has(nameOf(pair)));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

function nameOf(pair: string): string {
  const name = pair.split('=', 1)[0]!.replaceAll('+', ' ');
  try {
    return decodeURIComponent(name).toLowerCase();
  } catch {
    return name.toLowerCase();
  }
}
