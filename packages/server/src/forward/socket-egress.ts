import { randomBytes } from 'node:crypto';
import { request as tlsRequest } from 'node:https';
import { type LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { proofOf } from '@sallyport/protocol/web-socket-handshake.ts';
import { request as plainRequest } from '../platform/node-http.ts';
import { HandshakeRefused, type OpenedSocket } from '../terms/socket-way.ts';

/** Until the handshake is answered, milliseconds. */
const WITHIN = 10_000;

/**
 * Opens a WebSocket over the network, up to its handshake (RFC 6455 section 4.1). No extension is asked for: what is compressed could not be
 * joined, and a compressor for each socket costs 200 KB.
 * @param path path and query, byte for byte
 * @throws HandshakeRefused, or what the connection failed with
 */
export function openSocket(
  url: URL,
  path: string,
  headers: readonly string[],
  signal: AbortSignal,
  options: { lookup?: LookupFunction; createConnection?: () => Duplex } = {},
): Promise<OpenedSocket> {
  const key = randomBytes(16).toString('base64');
  const ours = {
    host: url.host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
  };
  const given: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) given[headers[i]!] = headers[i + 1]!;
  const within = AbortSignal.any([signal, AbortSignal.timeout(WITHIN)]);

  return new Promise((resolve, reject) => {
    if (within.aborted) return reject(gaveUp(signal));
    const req = (url.protocol === 'https:' ? tlsRequest : plainRequest)({
      hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      path,
      headers: { ...given, ...ours },
      ...(options.createConnection === undefined && { agent: false }),
      ...options,
    });
    const giveUp = () => req.destroy(gaveUp(signal));
    within.addEventListener('abort', giveUp, { once: true });
    const settle = () => within.removeEventListener('abort', giveUp);
    req.on('upgrade', (res, socket: Duplex, head) => {
      settle();
      if (
        res.headers['sec-websocket-accept'] !== proofOf(key) ||
        res.headers.upgrade?.toLowerCase() !== 'websocket' ||
        res.headers['sec-websocket-extensions'] !== undefined
      ) {
        socket.destroy();
        reject(new HandshakeRefused(502));
        return;
      }
      if (socket instanceof Socket) socket.setTimeout(0).setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve({ stream: socket, protocol: res.headers['sec-websocket-protocol'] ?? null });
    });
    req.on('response', res => {
      settle();
      // What it says is for nobody here.
      res.on('error', () => {});
      req.destroy();
      reject(new HandshakeRefused(res.statusCode!));
    });
    req.on('error', error => {
      settle();
      reject(error);
    });
    req.end();
  });
}

const gaveUp = (signal: AbortSignal): Error =>
  signal.aborted
    ? new Error('nobody waits for this WebSocket any more')
    : Object.assign(new Error('the handshake was not answered in time'), { code: 'ETIMEDOUT' });
