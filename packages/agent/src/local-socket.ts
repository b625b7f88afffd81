import type { ClientRequest, OutgoingHttpHeaders } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { answerError } from './answer.ts';

/** Of the handshake itself, or of the stream that carries it; extensions are not passed on. */
const NOT_PASSED = /^(:|sec-websocket-(key|version|extensions)$|host$|connection$|upgrade$)/;

/** Whether a call is the opening of a WebSocket (RFC 8441 section 4). */
export const isSocket = (headers: IncomingHttpHeaders): boolean => headers[':protocol'] === 'websocket';

/**
 * Opens a WebSocket at the local server: to the gateway it is the data of a stream, whose head was its handshake (RFC 8441 section 5). Its
 * frames pass unread.
 * @param send makes the request; headers are all that go along
 */
export function openLocalSocket(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  host: string,
  send: (headers: OutgoingHttpHeaders) => ClientRequest,
): void {
  const passed: OutgoingHttpHeaders = {};
  for (const name in headers) if (!NOT_PASSED.test(name)) passed[name] = headers[name];
  const req = send({
    ...passed,
    host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  });
  let reached = false;
  req.on('socket', socket => socket.once('ready', () => (reached = true)));
  req.on('error', () => answerError(stream, reached ? 'failed' : 'unreachable'));
  req.on('response', answer => {
    // What it says is for nobody here.
    answer.on('error', () => {});
    req.destroy();
    if (!stream.destroyed) stream.respond({ ':status': answer.statusCode! }, { endStream: true });
  });
  req.on('upgrade', (answer, socket, head) => {
    if (stream.destroyed) return socket.destroy();
    const protocol = answer.headers['sec-websocket-protocol'];
    stream.respond({ ':status': 200, ...(protocol !== undefined && { 'sec-websocket-protocol': protocol }) });
    if (head.length > 0) stream.write(head);
    socket.pipe(stream);
    stream.pipe(socket);
    socket.on('error', () => stream.destroy());
    stream.on('close', () => socket.destroy());
  });
  stream.on('close', () => req.destroy());
  req.end();
}
