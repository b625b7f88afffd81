import type { ClientStream } from '@sallyport/protocol/http2/client-stream.ts';
import { CODE, type Http2Error } from '@sallyport/protocol/http2/codes.ts';
import type { Fields } from '@sallyport/protocol/http2/fields.ts';
import { AppError } from '../platform/errors.ts';
import { HandshakeRefused, type OpenedSocket } from '../terms/socket-way.ts';
import { agentFailure } from './agent-failure.ts';
import { agentErrorOf, type Connection, headersFor, type Passenger } from './connection.ts';
import { CountedStream } from './counted-stream.ts';
import type { Tally } from './tally.ts';

/** Until the handshake is answered, milliseconds. */
const WITHIN = 10_000;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Opens a WebSocket through a tunnel (RFC 8441 section 5): the stream's data are its frames.
 * @throws HandshakeRefused, AppError where the agent or its tunnel is at fault
 */
export function openTunnelSocket(
  about: {
    connection: Connection;
    /** What passes is counted there. */
    tally: Tally;
    at: { tunnel: string; server: string; path: string };
  },
  headers: readonly string[],
  signal: AbortSignal,
): Promise<OpenedSocket> {
  const { connection, tally, at } = about;
  if (!connection.opensSockets)
    throw new AppError(
      'upstream_failed',
      `The agent of ${at.tunnel} opens no WebSockets (RFC 8441): update it.`,
    );
  if (connection.full !== null) throw connection.full;
  const opening = new Opening(at.tunnel, tally);
  opening.start(connection, `/${at.server}${at.path}`, headers);
  const within = AbortSignal.any([signal, AbortSignal.timeout(WITHIN)]);
  const giveUp = () => opening.fail(opening.failed('did not answer in time'));
  within.addEventListener('abort', giveUp, { once: true });
  void opening.opened.catch(() => {}).finally(() => within.removeEventListener('abort', giveUp));
  return opening.opened;
}

/** A WebSocket until its end: a handshake first, then bytes. */
class Opening implements Passenger {
  readonly #tunnel: string;
  readonly #tally: Tally;
  readonly #answer = Promise.withResolvers<OpenedSocket>();
  #stream: ClientStream | null = null;
  /** Null until its handshake is answered. */
  #bytes: CountedStream | null = null;

  constructor(tunnel: string, tally: Tally) {
    this.#tunnel = tunnel;
    this.#tally = tally;
  }

  get opened(): Promise<OpenedSocket> {
    return this.#answer.promise;
  }

  start(connection: Connection, path: string, headers: readonly string[]): void {
    const head = headersFor('CONNECT', path, 'sec-websocket-version', '13', ...headers);
    // HTTP/2's own come before all others (RFC 9113 section 8.3).
    head.splice(2, 0, ':protocol', 'websocket');
    try {
      this.#stream = connection.request(head, this, false);
    } catch (cause) {
      throw cause instanceof AppError ? cause : this.failed('broke off', cause);
    }
  }

  head(status: number, fields: Fields): void {
    const failure = agentErrorOf(fields);
    if (failure !== null) this.fail(agentFailure(failure, this.#tunnel));
    else if (status !== 200) this.fail(new HandshakeRefused(status));
    else {
      const stream = this.#stream!;
      // What comes waits for its first reader.
      stream.pause();
      this.#bytes = new CountedStream(stream, this.#tally);
      this.#answer.resolve({ stream: this.#bytes, protocol: protocolIn(fields) });
    }
  }

  data(chunk: Buffer): void {
    this.#bytes?.came(chunk);
  }

  end(): void {
    if (this.#bytes === null) this.fail(this.failed('broke off'));
    else this.#bytes.came(null);
  }

  broken(error: Http2Error): void {
    this.fail(this.failed('broke off', error));
  }

  drained(): void {
    this.#bytes?.drained();
  }

  lost(why: string): void {
    this.fail(this.failed(`is lost: ${why}`));
  }

  fail(error: Error): void {
    this.#answer.reject(error);
    if (this.#bytes !== null) this.#bytes.destroy(error);
    else this.#stream?.reset(CODE.CANCEL);
  }

  failed(why: string, cause?: unknown): AppError {
    return new AppError('upstream_failed', `The server behind the tunnel ${this.#tunnel} ${why}.`, { cause });
  }
}

/** RFC 8441 section 5: subprotocols are chosen by the same header as at a handshake of HTTP/1.1. */
function protocolIn(answer: Fields): string | null {
  const chosen = answer['sec-websocket-protocol'];
  return typeof chosen === 'string' && TOKEN.test(chosen) ? chosen : null;
}
