import type { Readable } from 'node:stream';
import type { ClientStream } from '@sallyport/protocol/http2/client-stream.ts';
import { CODE, type Http2Error } from '@sallyport/protocol/http2/codes.ts';
import type { Fields } from '@sallyport/protocol/http2/fields.ts';
import { AppError } from '../platform/errors.ts';
import type { Flow, OutboundRequest, ResponseReceiver } from '../terms/transport.ts';
import { agentFailure, tunnelLost } from './agent-failure.ts';
import { agentErrorOf, type Connection, headersFor, type Passenger } from './connection.ts';
import type { Tally } from './tally.ts';

/** A reader that takes nothing while it is looked at so often, twice a minute, is cut off. */
const STALLED = 10;

/** One request through a tunnel and its response, as an HTTP/2 stream. It ends once: with all of the response, or with an error. */
export class TunnelCall implements Passenger, Flow {
  readonly #receiver: ResponseReceiver;
  readonly #tunnel: string;
  readonly #tally: Tally;
  readonly #request: OutboundRequest;
  #stream: ClientStream | null = null;
  #timer: NodeJS.Timeout | null = null;
  #body: Readable | null = null;
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
    this.#startedAt = this.#tally.begin();
    try {
      const { method, path, headers } = this.#request;
      const all = headersFor(method, `/${server}${path}`, ...headers);
      this.#stream = connection.request(all, this, body === null);
    } catch (cause) {
      const words = `The tunnel ${this.#tunnel} cannot carry this request.`;
      this.fail(cause instanceof AppError ? cause : new AppError('upstream_failed', words, { cause }));
      return;
    }
    this.#timer = setTimeout(() => this.#late(), headersTimeout).unref();
    if (Buffer.isBuffer(body)) {
      this.#tally.sent(body.length);
      this.#stream.end(body);
    } else if (body !== null) this.#pump(body);
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

  abort(): void {
    if (this.#leave()) this.#drop();
  }

  lost(why: string): void {
    this.fail(tunnelLost(this.#tunnel, why));
  }

  fail(error: AppError): void {
    if (!this.#leave()) return;
    this.#tally.failed(error);
    this.#drop();
    this.#receiver.error(error);
  }

  head(status: number, headers: Fields): void {
    if (this.#over) return;
    clearTimeout(this.#timer!);
    const failure = agentErrorOf(headers);
    if (failure !== null) this.fail(agentFailure(failure, this.#tunnel));
    else
      try {
        this.#receiver.head(status, headers);
      } catch {
        this.fail(this.#brokenOff());
      }
  }

  data(chunk: Buffer): void {
    if (this.#over) return;
    this.#tally.received(chunk.length);
    this.#receiver.data(chunk);
  }

  end(trailers: Fields): void {
    if (!this.#leave()) return;
    this.#tally.finished(this.#startedAt);
    this.#receiver.end(trailers);
    // What the server did not wait for need not be sent.
    if (!this.#stream!.sent) this.#drop();
  }

  broken(error: Http2Error): void {
    this.fail(error.code === CODE.REFUSED_STREAM ? this.#notTaken() : this.#brokenOff());
  }

  drained(): void {
    if (this.#body !== null) this.#body.resume();
  }

  /** The request's body, at the pace of the other end. */
  #pump(body: Readable): void {
    const stream = this.#stream!;
    this.#body = body;
    body.on('data', (chunk: Buffer) => {
      this.#tally.sent(chunk.length);
      if (!stream.write(chunk)) body.pause();
    });
    body.on('end', () => stream.end());
    body.on('error', error => {
      const refused = error instanceof AppError ? error : this.#brokenOff();
      this.fail(refused);
    });
  }

  #drop(): void {
    this.#stream?.reset(CODE.CANCEL);
    this.#body?.destroy();
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

  #notTaken(): AppError {
    return new AppError(
      'upstream_failed',
      `The agent of the tunnel ${this.#tunnel} did not take the call, which had no effect; try again.`,
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
