import { hash } from 'node:crypto';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Section 4.1: 16 bytes. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

interface Asked {
  readonly method?: string | undefined;
  readonly headers: {
    readonly upgrade?: string | undefined;
    readonly 'sec-websocket-key'?: string | undefined;
  };
}

/** What a handshake's answer has to prove that it has read; null where it is no handshake (section 4.2.1). Its version is looked at elsewhere. */
export function keyOf({ method, headers }: Asked): string | null {
  const key = headers['sec-websocket-key'];
  const asks = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
  return asks && key !== undefined && KEY.test(key) ? key : null;
}

/** `Sec-WebSocket-Accept` (section 4.2.2). */
export const proofOf = (key: string): string => hash('sha1', `${key}${GUID}`, 'base64');

/** The answer that accepts. @param protocol one of those that were offered, or none */
export function acceptance(key: string, protocol: string | null): string {
  const chosen = protocol === null ? '' : `sec-websocket-protocol: ${protocol}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${proofOf(key)}\r\n${chosen}\r\n`;
}
