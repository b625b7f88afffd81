import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../platform/errors.ts';
import type { ServerLimits } from './limits.ts';

interface Wait {
  since: number;
  /** What had come by then. */
  readonly bytes: number;
  told: boolean;
}

/**
 * Ends requests whose body comes too slowly. Only the time in which a body is waited for counts: an upstream that takes it slowly, or a client that
 * was not told to send yet, is not the sender's fault; so an upload may last for as long as it goes on.
 *
 * Looks at requests from outside, now and then: a request that is read at once costs nothing.
 */
export function createSlowBodies(
  limits: Pick<ServerLimits, 'bodyWindow' | 'bodyBytes'>,
  monotonic: () => number,
): { look(res: ServerResponse): void } {
  const waits = new WeakMap<IncomingMessage, Wait>();

  function look(res: ServerResponse): void {
    const { req } = res;
    if (!isWaitedFor(req)) {
      waits.delete(req);
      return;
    }
    const now = monotonic();
    const bytes = req.socket.bytesRead;
    const wait = waits.get(req);
    if (wait === undefined) waits.set(req, { since: now, bytes, told: false });
    else if (now - wait.since >= limits.bodyWindow) {
      if (bytes - wait.bytes >= limits.bodyBytes) waits.set(req, { since: now, bytes, told: false });
      else cut(req, wait, now);
    }
  }

  /** Whoever reads the body hears of it, and answers; where nobody does, or nobody ends it, the connection ends. */
  function cut(req: IncomingMessage, wait: Wait, now: number): void {
    if (wait.told || req.listenerCount('error') === 0) req.socket.destroy();
    else {
      wait.told = true;
      wait.since = now;
      req.emit('error', tooSlow());
    }
  }

  return { look };
}

/** Somebody reads, and everything that came was taken. */
const isWaitedFor = (req: IncomingMessage): boolean =>
  !req.complete && !req.destroyed && req.readableFlowing === true && req.readableLength === 0;

/** RFC 9110 section 15.5.9. */
const tooSlow = (): AppError =>
  new AppError('request_timeout', "The request's body came too slowly.", {
    headers: { connection: 'close' },
  });
