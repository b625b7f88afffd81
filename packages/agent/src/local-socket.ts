import type { ClientRequest, OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { CODE } from '@sallyport/protocol/http2/codes.ts';
import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';
import { answerError } from './answer.ts';

/** Of the handshake itself, or of the stream that carries it; extensions are not passed on, nor what trails it. */
const NOT_PASSED = /^(sec-websocket-(key|version|extensions)$|host$|connection$|upgrade$|trailer$)/;

/** Whether a call is the opening of a WebSocket (RFC 8441 section 4). */
export const isSocket = (call: ServerStream): boolean => call.head.protocol === 'websocket';

/**
 * Opens a WebSocket at the local server: to the gateway it is the data of a stream, whose head was its handshake (RFC 8441 section 5). Its
 * frames pass unread.
 * @param send makes the request; headers are all that go along
 */
export function openLocalSocket(
  call: ServerStream,
  host: string,
  send: (headers: OutgoingHttpHeaders) => ClientRequest,
): void {
  const { fields } = call.head;
  const passed: OutgoingHttpHeaders = {};
  for (const name in fields) if (!NOT_PASSED.test(name)) passed[name] = fields[name];
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
  req.on('error', () => answerError(call, reached ? 'failed' : 'unreachable'));
  req.on('response', answer => {
    // What it says is for nobody here.
    answer.on('error', () => {});
    req.destroy();
    if (call.closed) return;
    call.respond(answer.statusCode!, [], true);
    call.dismiss();
  });
  req.on('upgrade', ({ headers }, socket, head) => {
    if (call.closed) {
      socket.destroy();
      return;
    }
    const protocol = headers['sec-websocket-protocol'];
    try {
      call.respond(200, protocol === undefined ? [] : ['sec-websocket-protocol', protocol]);
    } catch {
      // A head that HTTP/2 cannot carry.
      socket.destroy();
      answerError(call, 'failed');
      return;
    }
    if (head.length > 0) call.write(head);
    join(call, socket);
  });
  // What comes before it is open waits.
  call.accept({ data() {}, end() {}, broken: () => void req.destroy(), drained() {} });
  req.end();
}

/** The bytes of one are the bytes of the other, each at the other's pace. */
function join(call: ServerStream, socket: Duplex): void {
  call.accept({
    data(chunk) {
      if (!socket.write(chunk)) call.pause();
    },
    end: () => void socket.end(),
    broken: () => void socket.destroy(),
    drained: () => void socket.resume(),
  });
  socket.on('drain', () => call.resume());
  socket.on('data', (chunk: Buffer) => {
    if (!call.write(chunk)) socket.pause();
  });
  socket.on('end', () => call.end());
  socket.on('error', () => call.reset(CODE.CANCEL));
  // What came for a server that reads no more is for nobody.
  socket.on('close', () => call.dismiss());
  call.resume();
}
