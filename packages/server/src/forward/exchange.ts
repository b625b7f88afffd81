import { AppError } from '../platform/errors.ts';
import type { Credential } from '../terms/credential.ts';
import type { Flow, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { outboundHeaders } from './outbound-headers.ts';
import type { Outcome } from './outcome.ts';
import { responseHeaders } from './response-headers.ts';

/** What an exchange tells its caller; one of them, once. */
export interface ExchangeEnd {
  /** The upstream answered 401 and the body can be sent again: nothing has reached the client yet. */
  refused(): void;
  finished(result: Outcome['result'], status: number): void;
  /** Nothing has reached the client yet: the caller answers. */
  failed(error: AppError): void;
}

/**
 * One request to an upstream and its response on the way to the client: pumped, with each side waiting for the other, and aborted
 * when the client goes (performance.md rule 4).
 */
export class Exchange implements ResponseReceiver {
  readonly #call: Call;
  readonly #upstream: Upstream;
  readonly #end: ExchangeEnd;
  /** Whether a 401 is worth a second try; asked when it comes. */
  readonly #retriable: () => boolean;
  #flow: Flow | null = null;
  #state: 'waiting' | 'refused' | 'streaming' | 'over' = 'waiting';
  #status = 0;

  constructor(call: Call, upstream: Upstream, retriable: () => boolean, end: ExchangeEnd) {
    this.#call = call;
    this.#upstream = upstream;
    this.#retriable = retriable;
    this.#end = end;
  }

  /** @param path what is behind the upstream's own path, query included */
  start(
    transport: Transport,
    path: string,
    credential: Credential | null,
    body: ReturnType<Call['body']['outbound']>,
  ): void {
    const { req, res, rawHeaders, headers } = this.#call;
    const outbound = outboundHeaders(this.#upstream.kind, rawHeaders, headers.connection, credential);
    if (body !== null && !Buffer.isBuffer(body) && this.#call.body.length !== undefined) {
      outbound.push('content-length', this.#call.body.length);
    }
    res.on('close', this.#onClose);
    transport.send(
      { method: req.method!, path, headers: outbound, body, headersTimeout: this.#upstream.headersTimeout },
      this,
    );
  }

  begin(flow: Flow): void {
    this.#flow = flow;
    if (this.#state === 'over') flow.abort(new ClientGone());
  }

  head(status: number, headers: Record<string, string | string[] | undefined>): void {
    if (this.#state !== 'waiting') return;
    if (status === 401 && this.#retriable()) {
      // Its short body is read to the end, so that the connection can be used again.
      this.#state = 'refused';
      return;
    }
    const { res, requestId } = this.#call;
    this.#state = 'streaming';
    this.#status = status;
    const out = responseHeaders(headers, this.#upstream.kind);
    out.push('x-request-id', requestId);
    res.writeHead(status, out);
    // An event stream may stay silent after its head; whatever comes in the same turn leaves with it in one write.
    process.nextTick(flushHead, res);
  }

  data(chunk: Buffer): void {
    if (this.#state !== 'streaming') return;
    if (!this.#call.res.write(chunk)) {
      this.#flow!.pause();
      this.#call.res.once('drain', this.#onDrain);
    }
  }

  end(trailers: Record<string, string | string[] | undefined>): void {
    if (this.#state === 'refused') {
      this.#leave();
      this.#end.refused();
    } else if (this.#state === 'streaming') {
      const { res } = this.#call;
      this.#leave();
      if (Object.keys(trailers).length > 0) res.addTrailers(trailers as Record<string, string>);
      res.end();
      this.#end.finished(
        this.#status >= 500 ? 'upstream_error' : this.#status >= 400 ? 'client_error' : 'ok',
        this.#status,
      );
    }
  }

  error(error: Error): void {
    if (this.#state === 'over') return;
    const streaming = this.#state === 'streaming';
    this.#leave();
    if (streaming) {
      // RFC 9112 section 8: an incomplete message must be seen as such, so the connection ends without its last chunk.
      this.#call.res.destroy();
      this.#end.finished('broken', this.#status);
    } else {
      this.#end.failed(upstreamFailure(error, this.#upstream));
    }
  }

  #leave(): void {
    this.#state = 'over';
    this.#call.res.off('close', this.#onClose).off('drain', this.#onDrain);
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

function flushHead(res: Call['res']): void {
  if (!res.writableEnded && !res.destroyed) res.flushHeaders();
}

/** undici's error codes as ours. A cause stays in the log. */
function upstreamFailure(error: Error, upstream: Upstream): AppError {
  if (error instanceof AppError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const name = upstream.id;
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new AppError('upstream_timeout', `The upstream ${name} did not answer in time.`, { cause: error });
  }
  if (
    code === 'ECONNREFUSED' ||
    code === 'ENOTFOUND' ||
    code === 'EHOSTUNREACH' ||
    code === 'UND_ERR_CONNECT_TIMEOUT'
  ) {
    return new AppError('upstream_unreachable', `The upstream ${name} cannot be reached.`, { cause: error });
  }
  return new AppError('upstream_failed', `The upstream ${name} broke off before it answered.`, {
    cause: error,
  });
}
