import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream, UpstreamKind } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import type { Destination } from './forward.ts';
import { checkedPath } from './path.ts';

const KINDS: ReadonlySet<UpstreamKind> = new Set(['openai', 'openapi', 'http']);
/** `/u/{upstream}` and what is behind it; an id needs no encoding. */
const NAMED = /^\/u\/([a-z0-9][a-z0-9._-]{0,99})(\/.*)?$/i;
/** `/u/{user}/{name}`: a tunnel. */
const OF_USER = /^\/u\/([a-z0-9][a-z0-9._-]{0,99}\/[a-z0-9][a-z0-9._-]{0,99})(\/.*)?$/i;

/**
 * `/u/{upstream}/…` goes to that upstream, whatever it is; where there is none of that name, `/u/{user}/{name}/…` to that tunnel: no user can
 * stand in front of an upstream.
 * @throws AppError `bad_path`, `not_found`
 */
export function findNamed(
  call: Pick<Call, 'path' | 'query'>,
  principal: Principal,
  upstreams: { find(id: string, asker: Principal): Upstream | undefined },
): Destination {
  const path = checkedPath(call.path);
  for (const form of [NAMED, OF_USER]) {
    const match = form.exec(path);
    const upstream = match === null ? undefined : upstreams.find(match[1]!, principal);
    if (upstream === undefined) continue;
    if (!KINDS.has(upstream.kind)) break;
    return { upstream, path: joined(upstream, match![2] ?? '', call.query) };
  }
  throw new AppError(
    'not_found',
    'There is no such upstream here; GET /api/v1/me says who you are, an admin which upstreams there are.',
  );
}

/** Behind the upstream's own path. @param rest empty or beginning with a slash */
export function joined(upstream: Upstream, rest: string, query: string): string {
  const base = upstream.url.pathname === '/' ? '' : upstream.url.pathname.replace(/\/$/, '');
  return `${base}${rest}${query}` || '/';
}
