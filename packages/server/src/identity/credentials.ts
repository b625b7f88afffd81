import type { IncomingHttpHeaders } from 'node:http';

/** What of a request can prove who sends it; a `node:http` request fits once its socket's address is put beside it. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as received: the one place where Node shows that a header was repeated. */
  readonly rawHeaders: readonly string[];
  /** Of the connection itself, never from a header. */
  readonly remoteAddress: string | undefined;
}

/** @param name lower case */
export function countHeader(request: Credentials, name: string): number {
  const { rawHeaders } = request;
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!;
    if (header.length === name.length && header.toLowerCase() === name) count += 1;
  }
  return count;
}
