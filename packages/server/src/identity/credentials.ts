import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** What of a request can prove who sends it. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as received: the one place where Node shows that a header was repeated. */
  readonly rawHeaders: readonly string[];
  /** Of the connection itself, never from a header. */
  readonly remoteAddress: string | undefined;
}

/** Those of a `node:http` request, before its body is read or an upgrade is accepted. */
export const credentialsOf = (request: IncomingMessage): Credentials => ({
  headers: request.headers,
  rawHeaders: request.rawHeaders,
  remoteAddress: request.socket.remoteAddress,
});

/** A token that stood elsewhere (in the query, in a first message) counts as the header it stands for. */
export function credentialsWith(request: IncomingMessage, bearer: string | undefined): Credentials {
  const shown = credentialsOf(request);
  if (bearer === undefined) return shown;
  return { ...shown, headers: { ...shown.headers, authorization: `Bearer ${bearer}` } };
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
