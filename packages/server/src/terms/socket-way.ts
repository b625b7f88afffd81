import type { Duplex } from 'node:stream';

/** The other end answered a WebSocket's handshake, and not by opening one. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused';
  readonly status: number;

  constructor(status: number) {
    super(`the handshake was answered with ${status}`);
    this.status = status;
  }
}

/** The upstream's side of a WebSocket. */
export interface OpenedSocket {
  /** The bytes of the frames (RFC 6455 section 5), both ways, with no extension. It is paused: nothing is lost before somebody listens. */
  readonly stream: Duplex;
  /** The subprotocol that it chose of those that were offered. */
  readonly protocol: string | null;
}

/**
 * A way to open WebSockets at an upstream, beside its `Transport`: over the network, through a tunnel, or into this very process. It makes
 * the handshake and nothing else: what the frames hold is between the two who speak.
 */
export interface SocketWay {
  /**
   * @param path path and query, byte for byte
   * @param headers names (lower case) and values in turn; those of the handshake itself are added
   * @param signal gives up
   * @returns where our frames go masked, also through a tunnel
   * @throws HandshakeRefused for any other status than 101 (200 in RFC 8441), AppError `upstream_…` where nobody answers
   */
  open(path: string, headers: readonly string[], signal: AbortSignal): Promise<OpenedSocket>;
}
