import type { UpstreamKind } from '../terms/upstream.ts';

/** This hop's own (RFC 9110 section 7.6.1), and what only the origin the browser sees may set. */
const NEVER = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'alt-svc',
  'clear-site-data',
  'public-key-pins',
  'strict-transport-security',
  // All upstreams share our origin: one must not set what another, or our own session, is read from.
  'set-cookie',
  'service-worker-allowed',
]);

/** Ours on everything that an upstream sends: a page of its making is data to a browser, not a part of this origin. */
const OURS = ['x-content-type-options', 'nosniff', 'content-security-policy', "sandbox; default-src 'none'"];

/** The head a client gets: the upstream's without the hop's own, names and values in turn. */
export function responseHeaders(
  headers: Record<string, string | string[] | undefined>,
  _kind: UpstreamKind,
): string[] {
  const named = typeof headers['connection'] === 'string' ? headers['connection'] : '';
  const hop =
    named === '' || named === 'keep-alive' || named === 'close'
      ? null
      : new Set(named.split(',').map(name => name.trim().toLowerCase()));
  const out: string[] = [];
  for (const name in headers) {
    if (
      NEVER.has(name) ||
      name === 'content-security-policy' ||
      name === 'x-content-type-options' ||
      hop?.has(name)
    )
      continue;
    const value = headers[name];
    if (value === undefined) continue;
    if (typeof value === 'string') out.push(name, value);
    else for (const one of value) out.push(name, one);
  }
  out.push(...OURS);
  return out;
}
