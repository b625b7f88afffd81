import type { IncomingHttpHeaders } from 'node:http';
import type { Runtime } from '../platform/runtime.ts';

const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * The name of a request: in the log, to its caller, and to the upstream. The caller's own `X-Request-Id` where it is well-formed, from whoever
 * it comes: it names, and grants nothing. Else one of ours: random for the process, counted within it.
 */
export function createRequestIds(runtime: Pick<Runtime, 'random'>) {
  const prefix = runtime.random(6).toString('base64url');
  let count = 0;
  return (headers: IncomingHttpHeaders): string => {
    const theirs = headers['x-request-id'];
    // node:http joins several with commas, which no id holds.
    if (typeof theirs === 'string' && WELL_FORMED.test(theirs)) return theirs;
    return `${prefix}-${(++count).toString(36)}`;
  };
}
