import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { MESSAGE_BYTES, SUBPROTOCOL } from '@sallyport/protocol/limits.ts';
import { SocketStream } from '@sallyport/protocol/socket-stream.ts';
import { WebSocketServer } from 'ws';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';

/** Which version of the protocol this gateway and an agent that offers these will speak; null: none. */
export function versionIn(offered: string | undefined): string | null {
  const names = (offered ?? '').split(',').map(name => name.trim());
  return names.includes(SUBPROTOCOL) ? SUBPROTOCOL : null;
}

/** RFC 9110 section 15.5.22: what this end would switch to. */
export const noCommonVersion = (): AppError =>
  new AppError('bad_request', `This gateway speaks ${SUBPROTOCOL}; the agent offers none of that.`);

/** Turns a request that was let in into an agent's byte stream. */
export function createAcceptor(runtime: Pick<Runtime, 'monotonic'>) {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // performance.md: 230 KB for each socket, and nothing won for what is encrypted or compressed already.
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES,
    handleProtocols: offered => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  // What is no WebSocket handshake is answered by ws itself, with 400 or 405.
  server.on('wsClientError', (_error: Error, socket: Socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });

  return (req: IncomingMessage, socket: Socket, head: Buffer, opened: (stream: ByteStream) => void): void =>
    server.handleUpgrade(req, socket, head, webSocket =>
      opened(new SocketStream(webSocket, () => runtime.monotonic())),
    );
}
