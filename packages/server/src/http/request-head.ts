import type { IncomingMessage } from 'node:http';
import { AppError } from '../platform/errors.ts';

const refused = (why: string) => new AppError('bad_request', why, { headers: { connection: 'close' } });

/**
 * What node:http's strict parser lets pass, and another reader of the same bytes might understand differently. It refuses the rest itself,
 * with 400 and the end of the connection: Content-Length beside Transfer-Encoding or repeated, obs-fold, bare LF or CR, spaces around
 * names, chunk sizes that are no plain hexadecimal.
 * @throws AppError `bad_request`
 */
export function refuseAmbiguousHead(req: IncomingMessage): void {
  const { 'transfer-encoding': encoding } = req.headers;
  if (encoding !== undefined) {
    // RFC 9112 section 6.1: codings before `chunked` are nobody's here, and HTTP/1.0 knows none.
    if (encoding.toLowerCase() !== 'chunked' || req.httpVersionMinor === 0) {
      throw refused('The request must be framed by Content-Length or by Transfer-Encoding: chunked.');
    }
  }
  // RFC 9112 section 3.2: node:http takes the first of several.
  if (severalHosts(req.rawHeaders)) throw refused('The request must have one Host.');
  // RFC 9112 section 3.2.1: a target with an authority in it would be a second Host, one with a fragment is none at all.
  const url = req.url!;
  if (!url.startsWith('/') || url.includes('#')) {
    throw refused('The request target must be a path, with its query and without a fragment.');
  }
}

/** RFC 6585 section 5. @throws AppError `headers_too_large` */
export function refuseManyHeaders(req: IncomingMessage, most: number): void {
  if (req.rawHeaders.length <= 2 * most) return;
  throw new AppError('headers_too_large', `The request has more than ${most} headers.`, {
    headers: { connection: 'close' },
  });
}

/**
 * RFC 9110 section 9.3.8: a TRACE is answered with the request as it arrived, so an upstream would show the client the credential that the
 * gateway put into it.
 * @throws AppError `method_not_allowed`
 */
export function refuseTrace(req: IncomingMessage): void {
  if (req.method !== 'TRACE') return;
  throw new AppError('method_not_allowed', 'TRACE is not passed on.', {
    headers: { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' },
  });
}

function severalHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}
