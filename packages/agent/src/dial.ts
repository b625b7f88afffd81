import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { MESSAGE_BYTES, SUBPROTOCOL, TUNNEL_PATH } from '@sallyport/protocol/limits.ts';
import { SocketStream } from '@sallyport/protocol/socket-stream.ts';
import { WebSocket } from 'ws';
import { dialPosted } from './posted-stream.ts';
import { Refused } from './refused.ts';

/** Until the gateway has answered, milliseconds. */
const HANDSHAKE = 15_000;

export interface DialOptions {
  readonly gateway: URL;
  readonly key: string;
  readonly agent: HttpAgent;
  readonly userAgent: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** No WebSocket gets through, and this is why. */
  fellBack(why: string): void;
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

/** Refusals of the gateway itself, which it would say again. */
const MEANT = new Set([401, 403, 429, 503]);

/**
 * Opens a byte stream to a gateway: over a WebSocket, or by requests and a streamed response where something between lets none through.
 * @throws Refused, or the network's error
 */
export async function dial(options: DialOptions): Promise<ByteStream> {
  try {
    return await dialWebSocket(options);
  } catch (error) {
    const blocked =
      error instanceof Refused
        ? !(error.ours && MEANT.has(error.status))
        : HUNG_UP.test((error as Error).message);
    if (!blocked || options.signal.aborted) throw error;
    const { gateway, key, agent, userAgent, now } = options;
    const headers = { authorization: `Bearer ${key}`, 'user-agent': userAgent };
    const stream = await dialPosted({ url: tunnelUrl(gateway), agent, headers, timeout: HANDSHAKE }, now);
    options.fellBack((error as Error).message);
    return stream;
  }
}

/** What a WebSocket ends with when something between swallows it or hangs up. */
const HUNG_UP = /socket hang up|handshake has timed out|hung up|Invalid (Upgrade|Sec-WebSocket)|Parse Error/;

function dialWebSocket(options: DialOptions): Promise<ByteStream> {
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
        reject(new Refused(response.statusCode!, said, response.statusMessage ?? ''));
        socket.terminate();
      };
      response.on('end', settle).on('error', settle);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the gateway hung up')));
    socket.once('open', () => resolve(new SocketStream(socket, now)));
  }).finally(() => signal.removeEventListener('abort', giveUp));
}
