type Headers = Record<string, string | string[] | undefined>;

/** This hop's own (RFC 9110 section 7.6.1). */
const HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
];

/** What a browser takes as said by the whole origin, which is ours: one upstream must not speak for the gateway or for another upstream. */
const ORIGIN = [
  'accept-ch',
  'alt-svc',
  'clear-site-data',
  'critical-ch',
  'nel',
  'origin-agent-cluster',
  'origin-trial',
  'public-key-pins',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie',
  'set-login',
  'speculation-rules',
  'strict-transport-security',
  'x-sallyport-request-id',
];

/** Ours on everything that an upstream sends: a page of its making is data to a browser, not a part of this origin. */
const OURS = ['x-content-type-options', 'nosniff', 'content-security-policy', "sandbox; default-src 'none'"];

const NEVER = new Set([...HOP, ...ORIGIN, 'content-security-policy', 'x-content-type-options']);
/** Who may read our answers from another origin is ours to say, and nobody may. */
const CORS = 'access-control-';

/** The head a client gets: the upstream's without the hop's and the origin's own, names and values in turn. */
export function responseHeaders(status: number, headers: Headers): string[] {
  const hop = named(headers['connection']);
  // RFC 9112 section 6.3: a length beside a coding is not the message's; RFC 9110 section 8.6: 204 has none.
  const lengthless = status === 204 || headers['transfer-encoding'] !== undefined;
  const out: string[] = [];
  for (const name in headers) {
    if (NEVER.has(name) || name.startsWith(CORS) || hop?.has(name)) continue;
    if (lengthless && name === 'content-length') continue;
    const value = headers[name];
    if (typeof value === 'string') out.push(name, value);
    else if (value !== undefined) for (const one of value) out.push(name, one);
  }
  out.push(...OURS);
  return out;
}

/** What may come after a body (RFC 9110 section 6.5.1): nothing that frames, routes or describes it. */
export function responseTrailers(trailers: Headers): [string, string][] {
  const out: [string, string][] = [];
  for (const name in trailers) {
    if (NEVER.has(name) || name.startsWith(CORS) || name.startsWith('content-')) continue;
    const value = trailers[name];
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) out.push([name, one]);
  }
  return out;
}

function named(connection: string | string[] | undefined): Set<string> | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  return new Set(
    connection
      .toString()
      .split(',')
      .map(name => name.trim().toLowerCase()),
  );
}
