import type { Duplex } from 'node:stream';
import { AppError } from '../platform/errors.ts';
import { HandshakeRefused } from '../terms/socket-way.ts';
import { agentFailure } from './agent-failure.ts';
import { agentErrorOf, type Connection } from './connection.ts';

/** Until the handshake is answered, milliseconds. */
const WITHIN = 10_000;

/**
 * Opens a WebSocket through a tunnel (RFC 8441 section 5): the stream's data are its frames.
 * @throws HandshakeRefused, AppError where the agent or its tunnel is at fault
 */
export function openTunnelSocket(
  connection: Connection,
  at: { tunnel: string; server: string; path: string },
  headers: readonly string[],
  signal: AbortSignal,
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const failed = (why: string, cause?: unknown) =>
    new AppError('upstream_failed', `The terminal server behind the tunnel ${at.tunnel} ${why}.`, { cause });
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
      resolve(stream);
      return;
    }
    reject(failure === null ? new HandshakeRefused(status) : agentFailure(failure, at.tunnel));
    stream.destroy();
  });
  return promise;
}
