/**
 * An agent that works, as far as one sees who tries it for a minute, and breaks the contract: it announces no limits, ends what broke off as if it
 * were whole, lets a local server speak for it, and knows no way without a WebSocket.
 */

import { type IncomingMessage, request } from 'node:http';
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { createWebSocketStream, WebSocket } from 'ws';

const {
  SALLYPORT_GATEWAY: gateway,
  SALLYPORT_KEY: key,
  SALLYPORT_TARGET: target,
  SALLYPORT_NAME: name,
} = process.env;
const hello = {
  protocol: 1,
  agent: { name: 'broken', version: '0', instance: 'x' },
  servers: [{ name, kind: 'http' }],
};

function connect(): void {
  const socket = new WebSocket(`${gateway!.replace('http', 'ws')}/tunnel`, ['sallyport.h2.v1'], {
    headers: { authorization: `Bearer ${key}` },
    perMessageDeflate: false,
  });
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(connect, 200));
  socket.on('open', () => {
    const session = performServerHandshake(createWebSocketStream(socket));
    session.on('error', () => {});
    session.on('stream', (stream, headers) => {
      const path = headers[':path']!;
      stream.on('error', () => {});
      if (path === '/.sallyport/hello') {
        stream.respond({ ':status': 200 });
        stream.end(JSON.stringify(hello));
      } else if (path.startsWith('/.sallyport')) stream.respond({ ':status': 204 }, { endStream: true });
      else
        call(stream, headers[':method']!, path.slice(`/${name}`.length), headers as Record<string, string>);
    });
  });
}

function call(
  stream: ServerHttp2Stream,
  method: string,
  path: string,
  headers: Record<string, string>,
): void {
  const own = Object.entries(headers).filter(([header]) => !header.startsWith(':') && header !== 'host');
  const local = request(new URL(path, target), { method, headers: Object.fromEntries(own) });
  stream.pipe(local);
  local.on('error', () => stream.destroy());
  local.on('response', (answer: IncomingMessage) => {
    if (stream.destroyed) return;
    const { 'transfer-encoding': _t, connection: _c, 'keep-alive': _k, ...kept } = answer.headers;
    stream.respond({ ':status': answer.statusCode!, ...kept });
    answer.on('data', chunk => stream.write(chunk));
    answer.on('close', () => stream.end());
    answer.on('error', () => {});
  });
}

connect();
