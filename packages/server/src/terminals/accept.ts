import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { MAX_FRAME } from './server-socket.ts';

/** What our own page speaks beside the wire of terminal servers. */
export const SUBPROTOCOL = 'sallyport.terminal.v1';
/** How a browser, which can set no header, shows a token. */
const BEARER = /^bearer\.([A-Za-z0-9._~+-]+)$/;

/** The token among the offered subprotocols. */
export function bearerIn(offered: string | undefined): string | undefined {
  for (const name of (offered ?? '').split(',')) {
    const token = BEARER.exec(name.trim())?.[1];
    if (token !== undefined) return token;
  }
  return undefined;
}

/** Turns a request that was let in, or that has yet to say who it is, into a client's WebSocket. */
export function createAcceptor() {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // performance.md: 230 KB for each socket.
    perMessageDeflate: false,
    maxPayload: MAX_FRAME,
    // A browser takes no answer without one of those that it offered; one with a token goes back to nobody but who sent it.
    handleProtocols: offered =>
      offered.has(SUBPROTOCOL) ? SUBPROTOCOL : ([...offered].find(name => BEARER.test(name)) ?? false),
  });
  server.on('wsClientError', (_error: Error, socket: Socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });
  return (req: IncomingMessage, socket: Socket, head: Buffer, opened: (socket: WebSocket) => void): void =>
    server.handleUpgrade(req, socket, head, opened);
}
