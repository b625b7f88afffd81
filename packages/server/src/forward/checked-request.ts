import { AppError } from '../platform/errors.ts';
import type { Call } from './call.ts';

/** The request that a proxy holds back until it is told what to do with it. */
export interface CheckedRequest {
  /** Id of the upstream it is for. */
  readonly upstream: string;
  readonly method: string;
  /** As its client wrote it; null where the proxy does not say. */
  readonly url: URL | null;
  /** Whether a 401 should already be the way to the sign-in, for proxies that hand it on as it is. */
  readonly redirect: boolean;
}

export const CHECK = '/auth/check';
const ID = /^[a-z0-9][a-z0-9._-]{0,99}$/i;

/**
 * Reads what a proxy asks, in either form:
 * `/auth/check?upstream=ID`, with the request in `X-Forwarded-Method, -Proto, -Host, -Uri` (Traefik, Caddy) or `X-Original-Method, -URL` (nginx);
 * `/auth/check/ID/its/path`, in the request's own method (Envoy, which puts a prefix before the path).
 * Called only when the proxy has proved itself: nobody else is believed any of it.
 * @throws AppError `bad_request` where it does not say for which upstream, or by which method
 */
export function checkedRequest(call: Call): CheckedRequest {
  if (call.path !== CHECK) {
    // The first segment is the proxy's; all behind it, query included, is the client's.
    const [id = ''] = call.path.slice(CHECK.length + 1).split('/', 1);
    const rest = `${call.path.slice(CHECK.length + 1 + id.length)}${call.query}`;
    const url = urlOf(call, rest);
    return { upstream: idOf([id]), method: call.req.method!, url, redirect: true };
  }
  const query = new URLSearchParams(call.query);
  return {
    upstream: idOf(query.getAll('upstream')),
    method: methodOf(call),
    url: urlOf(call, null),
    redirect: query.get('sign_in') === 'redirect',
  };
}

/** Once: a proxy that appends the client's query to its own must not let it name another. */
function idOf(named: readonly string[]): string {
  const id = named[0];
  if (named.length !== 1 || id === undefined || !ID.test(id))
    throw new AppError('bad_request', `Name one upstream: ${CHECK}?upstream=ID.`);
  return id;
}

/** Never guessed: an auth request is a GET, whatever it is asked for, and a POST taken for one would pass the cross-site guard. */
function methodOf({ headers }: Call): string {
  const said = ['x-forwarded-method', 'x-original-method'].flatMap(name => headers[name] ?? []);
  if (said.length === 0 || said.some(method => method !== said[0]))
    throw new AppError('bad_request', 'The proxy must say the method, once: X-Forwarded-Method.');
  return said[0]!;
}

function urlOf({ headers }: Call, path: string | null): URL | null {
  const original = headers['x-original-url'];
  if (path === null && typeof original === 'string') return webUrl(original);
  const host = headers['x-forwarded-host'] ?? (path === null ? undefined : headers.host);
  const uri = path ?? headers['x-forwarded-uri'];
  const scheme = headers['x-forwarded-proto'];
  if (typeof host !== 'string' || typeof uri !== 'string' || typeof scheme !== 'string') return null;
  return uri.startsWith('/') ? webUrl(`${scheme}://${host}${uri}`) : null;
}

function webUrl(text: string): URL | null {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
    ? url
    : null;
}
