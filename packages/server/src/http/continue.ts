import type { IncomingMessage, ServerResponse } from 'node:http';

/** Requests whose client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1). */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

export function awaitContinue(req: IncomingMessage, res: ServerResponse): void {
  waiting.set(req, res);
}

/** The body is wanted: said once, and only after authorization (rule 1). */
export function proceed(req: IncomingMessage): void {
  const res = waiting.get(req);
  if (res === undefined) return;
  waiting.delete(req);
  if (!res.headersSent && !res.destroyed) res.writeContinue();
}

/**
 * Whether the client still waits. An answer must then end the connection: what comes next on it may be the body, or the next
 * request of a client that left the body out.
 */
export const awaitsContinue = (req: IncomingMessage): boolean => waiting.has(req);
