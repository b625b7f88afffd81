import type { IncomingHttpHeaders } from 'node:http2';
import { AppError } from '../platform/errors.ts';
import { HandshakeRefused, type OpenedSocket } from '../terms/socket-way.ts';
import { agentFailure } from './agent-failure.ts';
import { agentErrorOf, type Connection } from './connection.ts';
import { CountedStream } from './counted-stream.ts';
import type { Tally } from './tally.ts';

/** Until the handshake is answered, milliseconds. */
const WITHIN = 10_000;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Opens a WebSocket through a tunnel (RFC 8441 section 5): the stream's data are its frames.
 * @throws HandshakeRefused, AppError where the agent or its tunnel is at fault
 */
export function openTunnelSocket(
  about: {
    connection: Connection;
    /** What passes is counted there. */
    tally: Tally;
    at: { tunnel: string; server: string; path: string };
  },
  headers: readonly string[],
  signal: AbortSignal,
): Promise<OpenedSocket> {
  const { connection, tally, at } = about;
  const { promise, resolve, reject } = Promise.withResolvers<OpenedSocket>();
  const failed = (why: string, cause?: unknown) =>
    new AppError('upstream_failed', `The server behind the tunnel ${at.tunnel} ${why}.`, { cause });
  const head: Record<string, string> = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': `/${at.server}${at.path}`,
    ':authority': 'tunnel',
    'sec-websocket-version': '13',
  };
  for (let i = 0; i < headers.length; i += 2) head[headers[i]!] = headers[i + 1]!;
  if (!connection.opensSockets)
    throw new AppError(
      'upstream_failed',
      `The agent of ${at.tunnel} opens no WebSockets (RFC 8441): update it.`,
    );
  if (connection.full !== null) throw connection.full;
  let stream: ReturnType<Connection['request']>;
  try {
    const lost = (why: string) => void stream.destroy(failed(`is lost: ${why}`));
    stream = connection.request(head, { lost }, { endStream: false });
  } catch (cause) {
    throw cause instanceof AppError ? cause : failed('broke off', cause);
  }
  const within = AbortSignal.any([signal, AbortSignal.timeout(WITHIN)]);
  const giveUp = () => stream.destroy(failed('did not answer in time'));
  within.addEventListener('abort', giveUp, { once: true });
  void promise.catch(() => {}).finally(() => within.removeEventListener('abort', giveUp));
  stream.on('error', error => reject(error instanceof AppError ? error : failed('broke off', error)));
  stream.on('close', () => reject(failed('broke off')));
  stream.on('response', answer => {
    const failure = agentErrorOf(answer);
    const status = answer[':status'] as unknown as number;
    if (failure === null && status === 200) {
      // What comes waits for its first listener.
      resolve({ stream: new CountedStream(stream, tally), protocol: protocolIn(answer) });
      return;
    }
    reject(failure === null ? new HandshakeRefused(status) : agentFailure(failure, at.tunnel));
    stream.destroy();
  });
  return promise;
}

/** RFC 8441 section 5: subprotocols are chosen by the same header as at a handshake of HTTP/1.1. */
function protocolIn(answer: IncomingHttpHeaders): string | null {
  const chosen = answer['sec-websocket-protocol'];
  return typeof chosen === 'string' && TOKEN.test(chosen) ? chosen : null;
}
