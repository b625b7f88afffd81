import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { AppError } from '../platform/errors.ts';
import type { Flow, OutboundRequest, ResponseReceiver } from '../terms/transport.ts';
import { agentFailure, tunnelLost } from './agent-failure.ts';
import { agentErrorOf, type Connection, type Passenger } from './connection.ts';
import type { Tally } from './tally.ts';

/** A reader that takes nothing while it is looked at so often, twice a minute, is cut off. */
const STALLED = 10;

type Headers = Record<string, string | string[] | undefined>;

/**
 * One request through a tunnel and its response, as an HTTP/2 stream. It ends once: with all of the response, or with an error. A stream is
 * abandoned by destroying it, which resets it; node:http2's `close(code)` would first send the end of a message that has none.
 */
export class TunnelCall implements Passenger, Flow {
  readonly #receiver: ResponseReceiver;
  readonly #tunnel: string;
  readonly #tally: Tally;
  readonly #request: OutboundRequest;
  #stream: ClientHttp2Stream | null = null;
  #timer: NodeJS.Timeout | null = null;
  #trailers: Headers = {};
  #over = false;
  #startedAt = 0;
  /** How often it was found paused since it last went on; null while it goes on. */
  #stalled: number | null = null;

  constructor(tunnel: string, request: OutboundRequest, receiver: ResponseReceiver, tally: Tally) {
    this.#tunnel = tunnel;
    this.#request = request;
    this.#receiver = receiver;
    this.#tally = tally;
  }

  /** @param server its name in the tunnel, which the path begins with */
  start(connection: Connection, server: string): void {
    const { body, headersTimeout } = this.#request;
    if (!this.#receiver.begin(this)) return;
    const whole = body === null || Buffer.isBuffer(body);
    this.#startedAt = this.#tally.begin();
    try {
      const headers = headersOf(this.#request, `/${server}${this.#request.path}`);
      this.#stream = connection.request(headers, this, { endStream: body === null });
    } catch (cause) {
      const words = `The tunnel ${this.#tunnel} cannot carry this request.`;
      this.fail(cause instanceof AppError ? cause : new AppError('upstream_failed', words, { cause }));
      return;
    }
    this.#timer = setTimeout(() => this.#late(), headersTimeout).unref();
    this.#listen(this.#stream);
    if (Buffer.isBuffer(body)) {
      this.#tally.sent(body.length);
      this.#stream.end(body);
    } else if (!whole) this.#pump();
  }

  pause(): void {
    this.#stalled = 0;
    this.#stream?.pause();
  }

  resume(): void {
    this.#stalled = null;
    this.#stream?.resume();
  }

  stillRead(): void {
    if (this.#stalled === null || ++this.#stalled < STALLED) return;
    const words = `Nothing of the answer of the tunnel ${this.#tunnel} was read for five minutes; it is cut off.`;
    this.fail(new AppError('upstream_failed', words));
  }

  abort(reason: Error): void {
    if (this.#leave()) this.#stream?.destroy(reason);
  }

  lost(why: string): void {
    this.fail(tunnelLost(this.#tunnel, why));
  }

  fail(error: AppError): void {
    if (!this.#leave()) return;
    this.#tally.failed(error);
    this.#stream?.destroy(error);
    this.#receiver.error(error);
  }

  #listen(stream: ClientHttp2Stream): void {
    stream.on('response', headers => {
      // Not before: node:http2 tells of a head later than of the data that came with it. Not after: what goes on is to go on with its head.
      stream.on('data', (chunk: Buffer) => this.#data(chunk));
      this.#head(headers);
    });
    stream.on('trailers', headers => {
      this.#trailers = withoutPseudo(headers);
    });
    stream.on('end', () => {
      // A stream that was reset, or whose session went, ends as well.
      if (stream.rstCode !== 0 || stream.aborted || stream.destroyed) this.fail(this.#brokenOff());
      else if (this.#leave()) {
        this.#tally.finished(this.#startedAt);
        this.#receiver.end(this.#trailers);
        // What the server did not wait for need not be sent.
        if (!stream.writableEnded) stream.destroy();
      }
    });
    const broken = () => {
      if (!this.#over) this.fail(this.#brokenOff());
    };
    stream.on('error', broken).on('close', broken);
  }

  #head(headers: IncomingHttpHeaders): void {
    if (this.#over) return;
    clearTimeout(this.#timer!);
    const failure = agentErrorOf(headers);
    const status = Number(headers[':status']);
    if (failure !== null) this.fail(agentFailure(failure, this.#tunnel));
    // Not every node:http2 refuses what is no status of a final answer, and nobody could pass it on (RFC 9110 section 15).
    else if (!(status >= 200 && status <= 999)) this.fail(this.#brokenOff());
    else
      try {
        this.#receiver.head(status, withoutPseudo(headers));
      } catch {
        this.fail(this.#brokenOff());
      }
  }

  #data(chunk: Buffer): void {
    if (this.#over) return;
    this.#tally.received(chunk.length);
    this.#receiver.data(chunk);
  }

  /** The request's body, at the pace of the other end. */
  #pump(): void {
    const stream = this.#stream!;
    const body = this.#request.body as NodeJS.ReadableStream & { destroy(): void };
    body.on('data', (chunk: Buffer) => {
      this.#tally.sent(chunk.length);
      if (!stream.destroyed && !stream.write(chunk)) body.pause();
    });
    stream.on('drain', () => body.resume());
    stream.on('close', () => body.destroy());
    body.on('end', () => stream.end());
    body.on('error', error => {
      const refused = error instanceof AppError ? error : this.#brokenOff();
      this.fail(refused);
    });
  }

  #late(): void {
    this.fail(
      new AppError(
        'upstream_timeout',
        `The server behind the tunnel ${this.#tunnel} did not answer in time.`,
      ),
    );
  }

  #brokenOff(): AppError {
    return new AppError(
      'upstream_failed',
      `The server behind the tunnel ${this.#tunnel} broke off. Whether the call took effect is not known.`,
    );
  }

  /** @returns whether it was still under way */
  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#tally.left();
    if (this.#timer !== null) clearTimeout(this.#timer);
    return true;
  }
}

/** HTTP/2 knows no connection-specific headers (RFC 9113 section 8.2.2); several of one name are one list. */
function headersOf({ method, headers }: OutboundRequest, path: string): Record<string, string> {
  const out: Record<string, string> = { ':method': method, ':path': path, ':authority': 'tunnel' };
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const before = out[name];
    out[name] = before === undefined ? headers[i + 1]! : `${before}, ${headers[i + 1]!}`;
  }
  return out;
}

function withoutPseudo(headers: IncomingHttpHeaders): Headers {
  const out: Headers = {};
  for (const name in headers) if (!name.startsWith(':')) out[name] = headers[name];
  return out;
}
