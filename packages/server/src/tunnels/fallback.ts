import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { SUBPROTOCOL, TUNNEL_PATH, UP_BYTES } from '@sallyport/protocol/limits.ts';
import { newToken, sha256 } from '../platform/crypto.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { versionIn } from './accept.ts';
import type { Guest } from './admission.ts';
import { PostedStream } from './posted-stream.ts';

/** From its beginning to its stream, milliseconds. */
const OPEN_WITHIN = 15_000;
/** Sessions that were begun and have no stream yet. */
const MOST_WAITING = 1_000;
const TARGET = /^\/tunnel\/([A-Za-z0-9_-]{43})\/(up|down)$/;

/** A request as the data plane hands it over. */
export interface FallbackCall {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly query: string;
}

interface PostedSession {
  readonly guest: Guest;
  stream: PostedStream | null;
  /** Of the piece that comes next. */
  next: number;
  receiving: boolean;
  readonly begunAt: number;
}

/**
 * `POST /tunnel`, then `GET /tunnel/{id}/down` and `POST /tunnel/{id}/up?n=…` for each piece, in turn: the byte stream of a tunnel where
 * something between lets no WebSocket through. The id is worth nothing without the credential that it was given to.
 */
export function createFallback(deps: {
  admission(arrival: { req: IncomingMessage }): Promise<Guest>;
  authenticate(req: IncomingMessage): Promise<{ readonly userId: string }>;
  welcome(stream: ByteStream, guest: Guest): Promise<void>;
  runtime: Pick<Runtime, 'monotonic' | 'random'>;
}): (call: FallbackCall) => Promise<void> {
  const { runtime } = deps;
  const sessions = new Map<string, PostedSession>();

  async function begin({ req, res }: FallbackCall): Promise<void> {
    if (versionIn(req.headers['sallyport-protocol'] as string | undefined) === null)
      throw new AppError('bad_request', `This gateway speaks ${SUBPROTOCOL}; the agent offers none of that.`);
    const now = runtime.monotonic();
    for (const [id, session] of sessions) {
      if (session.stream !== null || now - session.begunAt <= OPEN_WITHIN) continue;
      sessions.delete(id);
      session.guest.leaveDoor();
    }
    const guest = await deps.admission({ req });
    if ([...sessions.values()].filter(({ stream }) => stream === null).length >= MOST_WAITING)
      throw tooManyWait(guest);
    const id = newToken(runtime);
    sessions.set(sha256(id), { guest, stream: null, next: 0, receiving: false, begunAt: now });
    req.resume();
    const text = JSON.stringify({ id });
    res.writeHead(201, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(text);
  }

  /** Of the same user, so that an id that leaked opens nothing. */
  async function find(id: string, req: IncomingMessage): Promise<[string, PostedSession]> {
    const key = sha256(id);
    const session = sessions.get(key);
    const { userId } = await deps.authenticate(req);
    if (session === undefined || session.guest.principal.userId !== userId)
      throw new AppError('not_found', 'There is no such tunnel.');
    return [key, session];
  }

  async function down(id: string, { req, res }: FallbackCall): Promise<void> {
    const [key, session] = await find(id, req);
    if (session.stream !== null) throw new AppError('conflict', 'This tunnel has its stream already.');
    res.writeHead(200, {
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
      // nginx would gather the stream into buffers.
      'x-accel-buffering': 'no',
    });
    res.flushHeaders();
    const stream = new PostedStream(res, () => runtime.monotonic());
    session.stream = stream;
    stream.on('close', () => sessions.delete(key));
    void deps.welcome(stream, session.guest);
  }

  async function up(id: string, { req, res, query }: FallbackCall): Promise<void> {
    const [, session] = await find(id, req);
    const { stream } = session;
    if (stream === null || session.receiving || query !== `?n=${session.next}`) {
      // A piece is missing or came twice: what follows cannot be understood.
      stream?.destroy();
      throw new AppError('conflict', 'This is not the piece that comes next; open a new tunnel.');
    }
    session.receiving = true;
    let length = 0;
    try {
      for await (const chunk of req as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > UP_BYTES) throw new AppError('body_too_large', 'The piece is too large.');
        stream.came(chunk);
      }
    } catch (error) {
      stream.destroy();
      throw error;
    }
    session.receiving = false;
    session.next += 1;
    res.writeHead(204).end();
  }

  return async call => {
    const match = TARGET.exec(call.path);
    const { method } = call.req;
    if (call.path === TUNNEL_PATH && method === 'POST') return begin(call);
    if (match?.[2] === 'down' && method === 'GET') return down(match[1]!, call);
    if (match?.[2] === 'up' && method === 'POST') return up(match[1]!, call);
    if (call.path !== TUNNEL_PATH) throw new AppError('not_found', 'There is nothing at this path.');
    // Something between took the upgrade away: the agent goes on without.
    throw new AppError('upgrade_refused', 'A tunnel is opened by WebSocket, or by POST.', {
      headers: { upgrade: 'websocket' },
    });
  };
}

function tooManyWait(guest: Guest): AppError {
  guest.leaveDoor();
  return new AppError('unavailable', 'Too many tunnels are being opened; try again in a moment.');
}

/** Answers a call of the fallback, errors included. */
export function fallbackRoute<C extends FallbackCall>(
  fallback: (call: FallbackCall) => Promise<void>,
  answer: (call: C, error: AppError) => void,
) {
  return {
    prefix: TUNNEL_PATH,
    // A tunnel does not hold up a gateway that is told to stop.
    lasting: true,
    handle: (call: C) => void fallback(call).catch((error: unknown) => answer(call, asAppError(error))),
    refuse: answer,
  };
}
