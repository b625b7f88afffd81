import { AppError } from '../platform/errors.ts';
import type { Upstream, UpstreamKind } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import type { Destination } from './forward.ts';
import { checkedPath } from './path.ts';

const KINDS: ReadonlySet<UpstreamKind> = new Set(['openai', 'openapi', 'http']);
/** `/u/{upstream}` and what is behind it; an id needs no encoding. */
const NAMED = /^\/u\/([a-z0-9][a-z0-9._-]{0,99})(\/.*)?$/i;

/**
 * `/u/{upstream}/…` goes to that upstream, whatever it is.
 * @throws AppError `bad_path`, `not_found`
 */
export function findNamed(call: Call, upstreams: { find(id: string): Upstream | undefined }): Destination {
  const match = NAMED.exec(checkedPath(call.path));
  const upstream = match === null ? undefined : upstreams.find(match[1]!);
  if (match === null || upstream === undefined || !KINDS.has(upstream.kind)) {
    throw new AppError(
      'not_found',
      'There is no such upstream here; GET /api/v1/me says who you are, an admin which upstreams there are.',
    );
  }
  return { upstream, path: joined(upstream, match[2] ?? '', call.query) };
}

/** Behind the upstream's own path. @param rest empty or beginning with a slash */
export function joined(upstream: Upstream, rest: string, query: string): string {
  const base = upstream.url.pathname === '/' ? '' : upstream.url.pathname.replace(/\/$/, '');
  return `${base}${rest}${query}` || '/';
}
