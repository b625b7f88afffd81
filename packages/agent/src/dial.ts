import { randomBytes } from 'node:crypto';
import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { SUBPROTOCOL, TUNNEL_PATH } from '@sallyport/protocol/limits.ts';
import { SocketStream } from '@sallyport/protocol/socket-stream.ts';
import { proofOf } from '@sallyport/protocol/web-socket-handshake.ts';
import { textOfAnswer } from './ask.ts';
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
const HUNG_UP = /socket hang up|hung up|in time|no WebSocket|Parse Error/;

/** The client's handshake (RFC 6455 section 4.1), with no extension. */
function dialWebSocket(options: DialOptions): Promise<ByteStream> {
  const { gateway, key, agent, userAgent, now, signal } = options;
  const proof = randomBytes(16).toString('base64');
  const send = gateway.protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(tunnelUrl(gateway), {
    agent,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': proof,
      'sec-websocket-protocol': SUBPROTOCOL,
      authorization: `Bearer ${key}`,
      'user-agent': userAgent,
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
  const giveUp = () => request.destroy(new Error('told to stop'));
  signal.addEventListener('abort', giveUp, { once: true });
  const late = setTimeout(() => request.destroy(new Error('the gateway did not answer in time')), HANDSHAKE);
  request.on('error', reject);
  request.on('response', response => {
    textOfAnswer(response).then(
      said => reject(new Refused(response.statusCode!, said, response.statusMessage ?? '')),
      reject,
    );
  });
  request.on('upgrade', ({ headers }, socket, head) => {
    const isOurs =
      headers.upgrade?.toLowerCase() === 'websocket' &&
      headers['sec-websocket-accept'] === proofOf(proof) &&
      headers['sec-websocket-protocol'] === SUBPROTOCOL &&
      headers['sec-websocket-extensions'] === undefined;
    if (!isOurs) {
      socket.destroy();
      reject(new Error('the answer opens no WebSocket of a tunnel'));
      return;
    }
    if (head.length > 0) socket.unshift(head);
    resolve(new SocketStream(socket as Socket, 'agent', now));
  });
  request.end();
  return promise.finally(() => {
    clearTimeout(late);
    signal.removeEventListener('abort', giveUp);
  });
}
