import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface DialOptions {
  /** How names are resolved, where not as the system does it. */
  readonly lookup: LookupFunction | undefined;
  /** A TLS session of an earlier connection (RFC 8446 section 2.2). */
  readonly session: Buffer | undefined;
  remember(session: Buffer): void;
}

/** Between two signs of life that the system sends itself, milliseconds. */
const PROBE = 60_000;

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
    : connect(common);
  if (secure) socket.on('session', options.remember);
  const done = (error: Error | null) => {
    socket.off('error', done).off('close', onClose);
    settled(error);
  };
  const onClose = () => done(Object.assign(new Error('the other side hung up'), { code: 'ECONNRESET' }));
  socket.once(secure ? 'secureConnect' : 'connect', () => done(null));
  socket.on('error', done).on('close', onClose);
  return socket;
}
