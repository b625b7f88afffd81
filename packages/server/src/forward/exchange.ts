import type { AppError } from '../platform/errors.ts';
import type { TraceHeaders } from '../platform/trace/tracer.ts';
import type { Credential } from '../terms/credential.ts';
import type { Flow, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { outboundHeaders } from './outbound-headers.ts';
import type { Outcome } from './outcome.ts';
import { responseHeaders, responseTrailers } from './response-headers.ts';
import { upstreamFailure } from './upstream-failure.ts';

type Headers = Record<string, string | string[] | undefined>;

/** Bytes up to which copying a body into its head's string is cheaper than a second buffer. */
const ONE_WRITE = 16 * 1024;

/** What an exchange tells its caller: how it ended, once. */
export interface ExchangeEnd {
  finished(result: Outcome['result'], status: number): void;
  /** Nothing has reached the client yet: the caller answers. */
  failed(error: AppError): void;
}

/**
 * One request to an upstream and its response on the way to the client: pumped, with each side waiting for the other, and aborted
 * when the client goes (performance.md rule 4).
 *
 * `waiting` for the head → (`held`: a 401 waits for its caller's word →) `streaming` → `over`.
 */
export class Exchange implements ResponseReceiver {
  readonly #call: Call;
  readonly #upstream: Upstream;
  readonly #end: ExchangeEnd;
  /** Takes a 401: the response waits until `pass` or `drop`. Null lets it through. */
  #refused: (() => void) | null;
  #flow: Flow | null = null;
  #state: 'waiting' | 'held' | 'streaming' | 'over' = 'waiting';
  #status = 0;
  /** What came while the response was held. */
  #missed: (() => void)[] = [];
  /** A body's one chunk, kept back so that it leaves together with the end. */
  #only: Buffer | null = null;
  #length = -1;

  constructor(call: Call, upstream: Upstream, refused: (() => void) | null, end: ExchangeEnd) {
    this.#call = call;
    this.#upstream = upstream;
    this.#refused = refused;
    this.#end = end;
  }

  get over(): boolean {
    return this.#state === 'over';
  }

  /** @param path what is sent as the request target: path and query */
  start(transport: Transport, path: string, credential: Credential | null, trace: TraceHeaders | null): void {
    const { req, res, rawHeaders, headers, body: inbound, requestId } = this.#call;
    // It may have left while its credential was looked for.
    if (res.destroyed) {
      this.#onClose();
      return;
    }
    const outbound = outboundHeaders(
      this.#upstream.kind,
      rawHeaders,
      headers.connection,
      credential,
      requestId,
      trace,
    );
    const body = inbound.outbound();
    if (body !== null && !Buffer.isBuffer(body) && inbound.length !== undefined) {
      outbound.push('content-length', inbound.length);
    }
    res.on('close', this.#onClose);
    transport.send(
      { method: req.method!, path, headers: outbound, body, headersTimeout: this.#upstream.headersTimeout },
      this,
    );
  }

  /** A held response goes to the client after all. */
  pass(): void {
    if (this.#state !== 'held') return;
    this.#state = 'waiting';
    this.#refused = null;
    for (const event of this.#missed.splice(0)) event();
    this.#flow?.resume();
  }

  /** A held response is let go: another exchange follows. */
  drop(): void {
    if (this.#state !== 'held') return;
    this.#leave();
    this.#flow?.abort(new Superseded());
  }

  /** Who called may no longer do so: nothing more is sent either way, and what was already written is not waited for. */
  cut(error: AppError): void {
    if (this.#state === 'over') return;
    const streaming = this.#state === 'streaming';
    this.#leave();
    this.#flow?.abort(new Superseded());
    if (streaming) {
      // A reset, so that no reader takes what it has for the whole.
      this.#call.req.socket.resetAndDestroy();
      this.#end.finished('refused', this.#status);
    } else this.#end.failed(error);
  }

  begin(flow: Flow): boolean {
    this.#flow = flow;
    return this.#state !== 'over';
  }

  head(status: number, headers: Headers): void {
    if (this.#state !== 'waiting') return;
    if (status === 401 && this.#refused !== null) {
      this.#state = 'held';
      this.#missed.push(() => this.head(status, headers));
      this.#flow!.pause();
      this.#refused();
      return;
    }
    const { res, requestId } = this.#call;
    const out = responseHeaders(status, headers);
    out.push('x-sallyport-request-id', requestId);
    // The upstream's own name for it, where it has one, is what its operators can look up.
    if (headers['x-request-id'] === undefined) out.push('x-request-id', requestId);
    res.writeHead(status, out);
    this.#state = 'streaming';
    this.#status = status;
    const length = headers['content-length'];
    if (typeof length === 'string') this.#length = Number(length);
    // A small body is on its way, and leaves with its head in one write. An event stream may stay silent: its head takes along what comes in the same turn.
    if (!(this.#length >= 0 && this.#length <= ONE_WRITE)) process.nextTick(Exchange.#flushHead, this);
  }

  data(chunk: Buffer): void {
    if (this.#state === 'held') this.#missed.push(() => this.data(chunk));
    if (this.#state !== 'streaming') return;
    if (chunk.length === this.#length) this.#only = chunk;
    else if (!this.#call.res.write(chunk)) {
      this.#flow!.pause();
      this.#call.res.once('drain', this.#onDrain);
    }
  }

  end(trailers: Headers): void {
    if (this.#state === 'held') this.#missed.push(() => this.end(trailers));
    if (this.#state !== 'streaming') return;
    const { res, body } = this.#call;
    this.#leave();
    const passed = responseTrailers(trailers);
    if (passed.length > 0) res.addTrailers(passed);
    if (this.#only === null) res.end();
    // Head and body as one string are one write; as string and buffer they are a gathered one, which costs twice as much.
    else if (this.#only.length <= ONE_WRITE) res.end(this.#only.toString('latin1'), 'latin1');
    else res.end(this.#only);
    // The upstream did not wait for the rest of the request; neither need the client's connection.
    body.discard();
    const result = this.#status >= 500 ? 'upstream_error' : this.#status >= 400 ? 'client_error' : 'ok';
    this.#end.finished(result, this.#status);
  }

  error(error: Error): void {
    if (this.#state === 'held') this.#missed.push(() => this.error(error));
    else if (this.#state === 'waiting') {
      this.#leave();
      this.#end.failed(upstreamFailure(error, this.#upstream));
    } else if (this.#state === 'streaming') {
      this.#leave();
      this.#breakOff();
      this.#end.finished('broken', this.#status);
    }
  }

  static #flushHead(exchange: Exchange): void {
    const { res } = exchange.#call;
    // Of a body that is all here the end is next.
    if (exchange.#only === null && !res.writableEnded && !res.destroyed) res.flushHeaders();
  }

  /** RFC 9112 section 8: an incomplete message must be seen as such. What came before still reaches the client, the last chunk never does. */
  #breakOff(): void {
    const { req, res } = this.#call;
    // To HTTP/1.0 the end of the connection is the end of the message, unless it is a reset.
    if (req.httpVersionMinor === 0) req.socket.resetAndDestroy();
    else if (res.writableCorked || res.writableLength > 0) process.nextTick(() => req.socket.destroySoon());
    else req.socket.destroySoon();
  }

  #leave(): void {
    this.#state = 'over';
    this.#missed.length = 0;
  }

  readonly #onDrain = (): void => this.#flow?.resume();

  readonly #onClose = (): void => {
    if (this.#state === 'over') return;
    this.#leave();
    this.#flow?.abort(new ClientGone());
    this.#end.finished('abandoned', this.#status);
  };
}

class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

class Superseded extends Error {
  override readonly name = 'Superseded';
}
