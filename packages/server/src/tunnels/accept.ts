import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { SUBPROTOCOL } from '@sallyport/protocol/limits.ts';
import { SocketStream } from '@sallyport/protocol/socket-stream.ts';
import { acceptance, keyOf } from '@sallyport/protocol/web-socket-handshake.ts';
import { AppError } from '../platform/errors.ts';

/** Which version of the protocol this gateway and an agent that offers these will speak; null: none. */
export function versionIn(offered: string | undefined): string | null {
  const names = (offered ?? '').split(',').map(name => name.trim());
  return names.includes(SUBPROTOCOL) ? SUBPROTOCOL : null;
}

/** RFC 9110 section 15.5.22: what this end would switch to. */
export const noCommonVersion = (): AppError =>
  new AppError('bad_request', `This gateway speaks ${SUBPROTOCOL}; the agent offers none of that.`);

/** What is no handshake of a WebSocket (RFC 6455 section 4.2.1), or one of another version (section 4.4). */
const REFUSAL =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\n\r\n';

/** Turns a request that was let in into an agent's byte stream; null where it is not to be one, which is answered. */
export function accept(
  req: IncomingMessage,
  socket: Socket,
  head: Buffer,
  now: () => number,
): ByteStream | null {
  const key = keyOf(req);
  if (key === null || req.headers['sec-websocket-version'] !== '13') {
    socket.on('error', () => {});
    socket.end(REFUSAL, () => socket.destroy());
    return null;
  }
  socket.write(acceptance(key, versionIn(req.headers['sec-websocket-protocol'])));
  if (head.length > 0) socket.unshift(head);
  return new SocketStream(socket, 'gateway', now);
}
