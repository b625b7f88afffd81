import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { createFrameReader, type Frame, isAck, pingFrame, TYPE } from './frames.ts';

/** One attempt of an agent to open a WebSocket, and all that it sent over it. */
export interface Dial {
  readonly headers: IncomingHttpHeaders;
  /** 101, or what it was refused with. */
  status: number;
  readonly frames: Frame[];
  /** The longest message of it, bytes. */
  longest: number;
  /** It sent text. */
  text: boolean;
  ended: boolean;
}

/** A request of an agent that is no upgrade. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  bytes: number;
}

/**
 * Stands between an agent and a gateway and reads along. It changes nothing but the `Host`, unless it is told to: it can refuse upgrades as a proxy
 * would, tear connections down, and put a PING of its own between the gateway's frames.
 */
export interface Wiretap extends AsyncDisposable {
  readonly url: string;
  readonly dials: Dial[];
  readonly asked: Asked[];
  /** Refuses WebSockets in a way that no gateway of ours does. */
  block: boolean;
  /** From now on the tunnel that is open carries nothing, either way, and neither end hears of the other's end. */
  silence(): void;
  /** Resets every connection. */
  cut(): void;
  /** Asks the agent whether it lives; resolves when it has answered. */
  ping(): Promise<void>;
  /** Resolves as soon as it holds; looked at whenever something comes from the agent. */
  until(holds: () => boolean): Promise<void>;
}

export async function startWiretap(gateway: URL): Promise<Wiretap> {
  const dials: Dial[] = [];
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  /** Of the tunnel that is open now. */
  let inject: ((bytes: Buffer) => void) | null = null;
  let silence = () => {};
  const pings = new Map<string, () => void>();
  const news = () => {
    for (const look of waiting) look();
  };

  const server = createServer((req, res) => relay(req, res));
  const accepting = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on('connection', socket => {
    sockets.add(socket);
    // An agent that is killed resets what it had open.
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (req, socket: Socket, head) => {
    const dial: Dial = {
      headers: req.headers,
      status: 0,
      frames: [],
      longest: 0,
      text: false,
      ended: false,
    };
    dials.push(dial);
    socket.on('close', () => {
      dial.ended = true;
      news();
    });
    const refuse = (status: number, type: string, body: string) => {
      dial.status = status;
      socket.end(
        `HTTP/1.1 ${status} No\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
      news();
    };
    if (self.block) return refuse(403, 'text/html', '<h1>Upgrades are not allowed here</h1>');

    const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim());
    const onward = new WebSocket(new URL(req.url!, gateway.href.replace('http', 'ws')), offered, {
      headers: { authorization: req.headers.authorization ?? '' },
      perMessageDeflate: false,
    });
    onward.on('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', text => {
        body += text;
      });
      response.on('end', () => refuse(response.statusCode!, response.headers['content-type'] ?? '', body));
    });
    onward.on('error', () => socket.destroy());
    onward.once('open', () => {
      dial.status = 101;
      accepting.handleUpgrade(req, socket, head, agent => join(dial, agent, onward));
      news();
    });
  });

  function join(dial: Dial, agent: WebSocket, onward: WebSocket): void {
    const down = createFrameReader('client');
    const up = createFrameReader('server');
    let silent = false;
    silence = () => {
      silent = true;
    };
    onward.on('message', (data: RawData) => {
      const { preface, frames } = down(data as Buffer);
      if (preface !== null) agent.send(preface);
      for (const { bytes } of frames) if (!silent) agent.send(bytes);
    });
    agent.on('message', (data: RawData, binary: boolean) => {
      if (!binary) dial.text = true;
      dial.longest = Math.max(dial.longest, (data as Buffer).length);
      for (const frame of up(data as Buffer).frames) {
        const ours = frame.type === TYPE.PING && isAck(frame) && pings.get(frame.payload.toString('hex'));
        if (ours) ours();
        else if (!silent) onward.send(frame.bytes);
        // Of bodies it is enough to know that they came.
        dial.frames.push(
          frame.type === 0 ? { ...frame, payload: Buffer.alloc(0), bytes: Buffer.alloc(0) } : frame,
        );
      }
      news();
    });
    inject = bytes => agent.send(bytes);
    agent.on('close', () => onward.terminate());
    onward.on('close', () => silent || agent.terminate());
    for (const end of [agent, onward]) end.on('error', () => {});
  }

  function relay(req: IncomingMessage, res: ServerResponse): void {
    const seen: Asked = { method: req.method!, url: req.url!, headers: req.headers, bytes: 0 };
    asked.push(seen);
    const onward = request(new URL(req.url!, gateway), {
      method: req.method!,
      headers: { ...req.headers, host: gateway.host },
    });
    req.on('data', (chunk: Buffer) => {
      seen.bytes += chunk.length;
    });
    req.pipe(onward);
    onward.on('response', answer => {
      res.writeHead(answer.statusCode!, answer.headers);
      res.flushHeaders();
      answer.pipe(res);
      answer.on('error', () => res.destroy());
      news();
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
  }

  server.listen(0, 'localhost');
  await once(server, 'listening');
  const self: Wiretap = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    dials,
    asked,
    block: false,
    silence: () => silence(),
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async ping() {
      const payload = randomBytes(8);
      const { promise, resolve } = Promise.withResolvers<void>();
      pings.set(payload.toString('hex'), resolve);
      if (inject === null) throw new Error('no tunnel is open');
      inject(pingFrame(payload));
      await promise;
    },
    until(holds) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => {
        if (!holds()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      return promise;
    },
    async [Symbol.asyncDispose]() {
      self.cut();
      server.close();
      await once(server, 'close');
    },
  };
  return self;
}
