import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { HELLO_PATH, MESSAGE_BYTES, NOTICE_PATH, SETTINGS, SUBPROTOCOL } from '@sallyport/protocol/limits.ts';
import { type WebSocket, WebSocketServer } from 'ws';
import { WsStream } from '../fixtures/ws-stream.ts';

/** What came of a request, when its stream was over. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Its RST_STREAM; 0 where it ended by itself. */
  readonly code: number;
}

/** A tunnel, with bare hands: what a gateway would hide can be asked here. */
export interface BareTunnel {
  readonly hello: Answer;
  /** Milliseconds from the open connection to the whole hello. */
  readonly took: number;
  /** Whether the agent announced that it takes WebSockets (RFC 8441 section 3). */
  readonly opensSockets: boolean;
  open(headers: OutgoingHttpHeaders, endStream?: boolean): ClientHttp2Stream;
  ask(headers: OutgoingHttpHeaders, body?: string): Promise<Answer>;
  end(): void;
}

/** Where an agent dials in as at a gateway, and meets a client of HTTP/2 and nothing else. */
export interface Counterpart extends AsyncDisposable {
  readonly url: string;
  /** The next agent that comes, once it has said hello. */
  next(): Promise<BareTunnel>;
}

export async function startCounterpart(): Promise<Counterpart> {
  const server = createServer((_req, res) => res.writeHead(404).end());
  const accepting = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES,
    handleProtocols: offered => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const came: WebSocket[] = [];
  const open = new Set<ClientHttp2Session>();
  let news = () => {};
  server.on('upgrade', (req, socket, head) =>
    accepting.handleUpgrade(req, socket, head, webSocket => {
      webSocket.on('error', () => {});
      came.push(webSocket);
      news();
    }),
  );
  server.listen(0, 'localhost');
  await once(server, 'listening');

  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async next() {
      while (came.length === 0) await new Promise<void>(resolve => (news = resolve));
      const stream = new WsStream(came.shift()!, () => performance.now());
      stream.on('error', () => {});
      const session = connect('http://tunnel', {
        createConnection: () => stream,
        settings: SETTINGS,
        // What may not be sent can be.
        maxSendHeaderBlockLength: 2 ** 20,
      });
      session.on('error', () => {});
      open.add(session);
      session.on('close', () => open.delete(session));
      const ask = (headers: OutgoingHttpHeaders, body?: string) => {
        const asked = session.request(headers, { endStream: body === undefined });
        if (body !== undefined) asked.end(body);
        return answerOf(asked);
      };
      const begun = performance.now();
      const hello = await ask({ ':path': HELLO_PATH });
      const took = performance.now() - begun;
      const notice = JSON.stringify({ type: 'registered', servers: [] });
      await ask({ ':method': 'POST', ':path': NOTICE_PATH, 'content-type': 'application/json' }, notice);
      return {
        hello,
        took,
        opensSockets: session.remoteSettings.enableConnectProtocol === true,
        ask,
        open: (headers, endStream = true) => session.request(headers, { endStream }),
        end: () => session.destroy(),
      };
    },
    async [Symbol.asyncDispose]() {
      for (const session of open) session.destroy();
      for (const webSocket of came) webSocket.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Whatever comes of a stream, until it is over. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: Record<string, unknown> = {};
  let text = '';
  stream.setEncoding('utf8');
  stream.on('response', head => (headers = head));
  stream.on('data', piece => (text += piece));
  stream.on('error', () => {});
  await new Promise<void>(resolve => stream.on('close', () => resolve()));
  return { status: Number(headers[':status'] ?? 0), headers, text, code: stream.rstCode ?? 0 };
}
