import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Refused } from './answers.ts';

/** Who a call is made for, as whoever stands in front of this server says: it alone has the key. */
export interface Caller {
  /** Empty where nobody is named. */
  readonly user: string;
  /** The client's own name for what it is doing; null: none. */
  readonly session: string | null;
}

/** @throws Refused 401 without the key, 400 for headers that are too long */
export function callerOf(req: IncomingMessage, key: string | null): Caller {
  const shown = /^Bearer (.+)$/i.exec(req.headers.authorization ?? '')?.[1] ?? '';
  if (key !== null && !timingSafeEqual(digest(shown), digest(key))) throw new Refused(401, 'Invalid API key');
  return namedBy(req);
}

/** @throws Refused */
export function namedBy(req: IncomingMessage): Caller {
  const user = req.headers['x-user-id'] ?? '';
  const session = req.headers['x-session-id'] ?? null;
  if (typeof user !== 'string' || Array.isArray(session) || user.length > 500 || (session?.length ?? 0) > 500)
    throw new Refused(400, 'X-User-Id, X-Session-Id: expected one short text each');
  return { user, session };
}

const digest = (text: string) => createHash('sha256').update(text).digest();
