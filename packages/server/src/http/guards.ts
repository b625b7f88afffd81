import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Which `Host` values this gateway answers to; any other is somebody's name pointed at us (DNS rebinding) or a wrong route
 * (RFC 9110 section 15.5.20).
 */
export function createHostGuard(config: {
  publicUrl: URL;
  allowedHosts: readonly string[];
  port: () => number;
}): (host: string | undefined) => void {
  const { publicUrl } = config;
  const port = publicUrl.port || (publicUrl.protocol === 'https:' ? '443' : '80');
  const own = [publicUrl.host, `${publicUrl.hostname}:${port}`];
  const fixed = new Set([...own, ...config.allowedHosts].map(host => host.toLowerCase()));
  const local = LOOPBACK.includes(publicUrl.hostname);
  return host => {
    if (host !== undefined) {
      if (fixed.has(host)) return;
      const name = host.toLowerCase();
      if (fixed.has(name)) return;
      if (local && LOOPBACK.some(loopback => name === `${loopback}:${config.port()}`)) return;
    }
    throw new AppError(
      'misdirected',
      `This gateway does not answer to that Host. Its address is ${publicUrl.origin}; allowedHosts may name more.`,
    );
  };
}

/** Proofs that a browser adds by itself, whoever asked it to. */
const AMBIENT = new Set<Principal['proof']>(['session', 'proxy-header', 'anonymous']);

/**
 * Refuses an act that another site may have made a browser do. Cookies are `SameSite=Lax`; this holds for same-site neighbours, old
 * browsers, and proofs that are no cookies. A program sends neither `Origin` nor `Sec-Fetch-Site`.
 */
export function createCrossSiteGuard(publicUrl: URL) {
  return (
    principal: Pick<Principal, 'proof'>,
    request: { method?: string | undefined; headers: IncomingHttpHeaders },
  ): void => {
    if (!AMBIENT.has(principal.proof) || SAFE.has(request.method ?? '')) return;
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin === undefined && (site === undefined || site === 'same-origin' || site === 'none')) return;
    if (origin === publicUrl.origin && (site === undefined || site === 'same-origin')) return;
    // The gateway reached by its loopback address instead of its name is still the same page's origin.
    if (origin !== undefined && site === 'same-origin') return;
    throw new AppError(
      'csrf',
      `Another site asked for this. Acts with a session are accepted from ${publicUrl.origin} only.`,
    );
  };
}

/** Authentication with such a guard behind it; synchronous where it was. */
export function guarded<R extends Parameters<ReturnType<typeof createCrossSiteGuard>>[1]>(
  guard: ReturnType<typeof createCrossSiteGuard>,
  authenticate: (request: R) => Principal | Promise<Principal>,
): (request: R) => Principal | Promise<Principal> {
  return request => {
    const pass = (principal: Principal): Principal => {
      guard(principal, request);
      return principal;
    };
    const principal = authenticate(request);
    return principal instanceof Promise ? principal.then(pass) : pass(principal);
  };
}

/** On every answer of ours that a browser may show. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

export function setPageHeaders(res: ServerResponse): void {
  for (const name in PAGE_HEADERS) res.setHeader(name, PAGE_HEADERS[name]!);
}
