import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface DialOptions {
  /** What came. Over a plain connection the bytes are only lent, for the call: `lends` says so. */
  received(bytes: Buffer): void;
  /** How names are resolved, where not as the system does it. */
  readonly lookup: LookupFunction | undefined;
  /** A TLS session of an earlier connection (RFC 8446 section 2.2). */
  readonly session: Buffer | undefined;
  remember(session: Buffer): void;
}

/**
 * What every read of a plain connection is put into. A buffer of its own for each, and a stream's way for it, cost more than copying what is most often
 * small.
 */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

/** Between two signs of life that the system sends itself, milliseconds. */
const PROBE = 60_000;

/** Whether what is received from a URL's origin is the next read's when the call is over. */
export const lends = (url: URL): boolean => url.protocol === 'http:';

/** A connection to a URL's origin, being opened. @param settled told once: with null when it stands */
export function dial(url: URL, options: DialOptions, settled: (error: Error | null) => void): Socket {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const secure = url.protocol === 'https:';
  const common = {
    host,
    port: Number(url.port) || (secure ? 443 : 80),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: PROBE,
    ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
  };
  const socket = secure
    ? connectTls({
        ...common,
        // One protocol, whose framing the smuggling tests cover.
        ALPNProtocols: ['http/1.1'],
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ...(options.session === undefined ? {} : { session: options.session }),
      })
    : connect({
        ...common,
        onread: {
          buffer: SHARED,
          callback(length) {
            options.received(SHARED.subarray(0, length));
            return true;
          },
        },
      });
  if (secure) socket.on('session', options.remember).on('data', options.received);
  const done = (error: Error | null) => {
    socket.off('error', done).off('close', onClose);
    settled(error);
  };
  const onClose = () => done(Object.assign(new Error('the other side hung up'), { code: 'ECONNRESET' }));
  socket.once(secure ? 'secureConnect' : 'connect', () => done(null));
  socket.on('error', done).on('close', onClose);
  return socket;
}
