import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { MESSAGE_BYTES, SUBPROTOCOL, TUNNEL_PATH } from '@sallyport/protocol/limits.ts';
import { SocketStream } from '@sallyport/protocol/socket-stream.ts';
import { WebSocket } from 'ws';

/** Until the gateway has answered, milliseconds. */
const HANDSHAKE = 15_000;

/** A gateway that said no, or that something between refused to reach. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface DialOptions {
  readonly gateway: URL;
  readonly key: string;
  readonly agent: HttpAgent;
  readonly userAgent: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/**
 * How this machine reaches a gateway: through the proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name, its certificate verified in any
 * case, against `ca` where one is given.
 */
export function createAgent(gateway: URL, ca: string | null, env: NodeJS.ProcessEnv): HttpAgent {
  const common = { proxyEnv: env, keepAlive: true };
  if (gateway.protocol === 'http:') return new HttpAgent(common);
  return new HttpsAgent({ ...common, rejectUnauthorized: true, ...(ca === null ? {} : { ca }) });
}

/** Where on a gateway tunnels are taken; a gateway may live below a path. */
export const tunnelUrl = (gateway: URL): URL =>
  new URL(`${gateway.origin}${gateway.pathname.replace(/\/$/, '')}${TUNNEL_PATH}`);

/** Opens a byte stream to a gateway over a WebSocket. @throws Refused, or the network's error */
export function dial(options: DialOptions): Promise<ByteStream> {
  const { gateway, key, agent, userAgent, now, signal } = options;
  const url = tunnelUrl(gateway);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, [SUBPROTOCOL], {
    agent,
    headers: { authorization: `Bearer ${key}`, 'user-agent': userAgent },
    handshakeTimeout: HANDSHAKE,
    maxPayload: MESSAGE_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
  });
  const giveUp = () => socket.terminate();
  signal.addEventListener('abort', giveUp, { once: true });
  return new Promise<ByteStream>((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        if (said.length < 4_096) said += text;
      });
      const settle = () => {
        reject(new Refused(response.statusCode!, detailOf(said) ?? response.statusMessage ?? ''));
        socket.terminate();
      };
      response.on('end', settle).on('error', settle);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the gateway hung up')));
    socket.once('open', () => resolve(new SocketStream(socket, now)));
  }).finally(() => signal.removeEventListener('abort', giveUp));
}

/** Of problem details (RFC 9457), where the answer is that. */
function detailOf(text: string): string | null {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === 'string' ? detail : null;
  } catch {
    return null;
  }
}
