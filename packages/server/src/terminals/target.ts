import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';

/** Ours, and the one that Open WebUI's front end calls. */
export const PREFIXES = ['/terminals', '/api/v1/terminals'] as const;

const NAME = '[A-Za-z0-9][A-Za-z0-9._@-]{0,99}';
const UPSTREAM = new RegExp(`^/(${NAME})(/.*)?$`);
/** A tunnel's id is `{user}/{name}`. */
const OF_USER = new RegExp(`^/(${NAME}/${NAME})(/.*)?$`);
/** Nothing that has a meaning in a URL, at no depth of decoding: there is nothing in it to decode. */
const TERMINAL_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~:@+=,-]{1,200}$/;
const SESSIONS = /^\/api\/terminals(?:\/([^/]+)(\/.*)?)?\/?$/;
/** The same path for a server that is less exact: another case, an empty segment, what it cuts off behind a semicolon. */
const LIKE_SESSIONS = /^\/+api\/+terminals(\/|$)/i;
const LIKE_POLICY = /^\/+p(\/|$)/i;

/** What a path at a terminal server means. */
export type Target =
  /** All terminals: their list, and where one is made. */
  | { readonly what: 'terminals' }
  /** One of them; `tail` is empty, or begins with a slash. */
  | { readonly what: 'terminal'; readonly id: string; readonly tail: string }
  /** Everything else of the server: files, execute, ports. */
  | { readonly what: 'other'; readonly path: string };

export interface Found {
  readonly upstream: Upstream;
  /** Behind the upstream's id; empty, or beginning with a slash. Not yet checked. */
  readonly rest: string;
}

/**
 * The terminal server that a path names.
 * @param path of the request target, without its query
 * @throws AppError `not_found`
 */
export function terminalServerOf(
  path: string,
  principal: Principal,
  upstreams: { find(id: string, asker: Principal): Upstream | undefined },
): Found {
  const prefix = PREFIXES.find(one => path.startsWith(`${one}/`)) ?? '';
  for (const form of [UPSTREAM, OF_USER]) {
    const match = form.exec(path.slice(prefix.length));
    const upstream = match === null ? undefined : upstreams.find(match[1]!, principal);
    // No user can stand in front of an upstream.
    if (upstream === undefined) continue;
    if (upstream.kind !== 'terminal') break;
    return { upstream, rest: match![2] ?? '' };
  }
  throw new AppError('not_found', 'There is no such terminal server here; GET /terminals/ lists yours.');
}

/**
 * What the part behind the server's name means. What this gateway takes for a terminal's path, and what a server does, are the same path:
 * anything that only some reader would take for one is refused.
 * @param rest as it came, percent-encoded
 * @throws AppError `bad_path`, `not_found`
 */
export function targetOf(rest: string): Target {
  const match = SESSIONS.exec(rest);
  if (match !== null) {
    const [, segment, tail = ''] = match;
    if (segment === undefined) return { what: 'terminals' };
    if (isShellOfUser(segment, tail)) return { what: 'other', path: rest };
    return { what: 'terminal', id: terminalId(segment), tail };
  }
  const plain = decoded(rest).replace(/;[^/]*/g, '');
  if (LIKE_SESSIONS.test(plain)) throw new AppError('bad_path', 'Write this path as /api/terminals.');
  // Which policy a container is made by is said by the upstream, not by who calls it.
  if (LIKE_POLICY.test(plain)) throw noSuchTerminal();
  return { what: 'other', path: rest };
}

/**
 * What an agent reads of its user's shell, and types into it (open-terminal since 0.13): no terminal's path, since the server finds the shell by our
 * word for the user and by the session.
 */
const isShellOfUser = (segment: string, tail: string): boolean =>
  segment === 'user' && (tail === '/output' || tail === '/input');

/** @throws AppError `not_found` for what is no terminal's id */
export function terminalId(segment: string): string {
  let id: string;
  try {
    id = decodeURIComponent(segment);
  } catch {
    throw noSuchTerminal();
  }
  if (!isTerminalId(id)) throw noSuchTerminal();
  return id;
}

export const isTerminalId = (id: unknown): id is string => typeof id === 'string' && TERMINAL_ID.test(id);

/** Another's terminal, and one that there is not, are one and the same to whoever asks. */
export const noSuchTerminal = (): AppError => new AppError('not_found', 'There is no such terminal.');

/** As a terminal server gets it: under the upstream's own path, and its policy. */
export function serverPath({ url, terminal }: Upstream, path: string): string {
  const base = url.pathname.replace(/\/$/, '');
  const policy = terminal?.policy ?? null;
  return `${base}${policy === null ? '' : `/p/${policy}`}${path}` || '/';
}

export const terminalPath = (id: string, tail = ''): string =>
  `/api/terminals/${encodeURIComponent(id)}${tail}`;

/** Down to what no longer changes. */
function decoded(path: string): string {
  let current = path;
  for (;;) {
    let next: string;
    try {
      next = decodeURIComponent(current);
    } catch {
      return current;
    }
    if (next === current) return current;
    current = next;
  }
}
