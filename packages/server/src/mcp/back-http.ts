import { AppError } from '../platform/errors.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Flow, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { Ending } from './ending.ts';
import { asMessage, type Message, parseJson } from './json-rpc.ts';
import { MAX_MESSAGE } from './protocol.ts';
import { SseReader } from './sse.ts';
import { traceHeaders } from './trace-meta.ts';

type Headers = Record<string, string | string[] | undefined>;

/** What is sent to a server over HTTP, its credential aside. */
export interface BackRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Message | null;
  readonly timeout?: number;
}

/** Hears what comes back, in order; `end` once. */
export interface BackListener {
  head?(status: number, headers: Headers): void;
  message(message: Message, eventId: string | undefined): void;
  /** @param problem null when it ended as it should; `text` is the body of an answer that was no stream */
  end(problem: Error | null, status: number, text: string): void;
}

/** Speaks to servers over HTTP, as a principal, with the credential that is theirs at that moment. */
export interface BackHttp {
  /** Aborting ends the exchange; `end` is called all the same. */
  send(who: Principal, to: Upstream, request: BackRequest, listener: BackListener, ending?: Ending): void;
  /** One answer, whole. @throws what kept it from coming */
  ask(who: Principal, to: Upstream, request: BackRequest, signal?: AbortSignal): Promise<BackAnswer>;
}

export interface BackAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly messages: readonly Message[];
}

interface Vault {
  credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  renew(principal: Principal, upstream: Upstream, refused: Credential): Promise<Credential | null>;
}

export interface BackHttpDeps {
  vault: Vault;
  transportTo(upstream: Upstream, who: Principal): Transport;
  /** A transport's error as one of ours. */
  failureOf(error: Error, upstream: Upstream): AppError;
}

export function createBackHttp(deps: BackHttpDeps): BackHttp {
  const { vault, transportTo } = deps;

  function send(
    who: Principal,
    to: Upstream,
    request: BackRequest,
    listener: BackListener,
    ending: Ending | undefined,
  ): void {
    const failureOf = (problem: Error) => deps.failureOf(problem, to);
    const attempt = (credential: Credential | null, renewable: boolean): void => {
      const headers = ['user-agent', 'sallyport'];
      const trace = traceHeaders(request.body);
      for (const name in trace) headers.push(name, trace[name]!);
      for (const name in request.headers) headers.push(name, request.headers[name]!);
      if (credential !== null) headers.push(credential.header, credential.value);
      const renew =
        renewable && credential?.source
          ? () => {
              vault.renew(who, to, credential).then(
                newer => (newer === null ? listener.end(refusedBy(to), 401, '') : attempt(newer, false)),
                (error: Error) => listener.end(error, 401, ''),
              );
            }
          : null;
      transportTo(to, who).send(
        {
          method: request.method,
          path: to.url.pathname,
          headers,
          body: request.body === null ? null : Buffer.from(JSON.stringify(request.body)),
          headersTimeout: request.timeout ?? to.headersTimeout,
        },
        new Reading(listener, failureOf, renew, ending),
      );
    };
    const first = (credential: Credential | null) => attempt(credential, true);
    const none = (error: Error) => listener.end(error, 0, '');
    const credential = vault.credentialFor(who, to);
    if (credential instanceof Promise) credential.then(first, none);
    else first(credential);
  }

  return {
    send,
    ask(who, to, request, signal) {
      return new Promise((resolve, reject) => {
        const messages: Message[] = [];
        const ending = new Ending();
        const abort = () => ending.abort();
        if (signal?.aborted) abort();
        signal?.addEventListener('abort', abort, { once: true });
        let head: Headers = {};
        send(
          who,
          to,
          request,
          {
            head: (_status, headers) => {
              head = headers;
            },
            message: message => void messages.push(message),
            end(problem, status) {
              signal?.removeEventListener('abort', abort);
              if (problem === null) resolve({ status, headers: head, messages });
              else reject(problem);
            },
          },
          ending,
        );
      });
    },
  };
}

const refusedBy = ({ id }: Upstream) =>
  new AppError('upstream_failed', `The upstream ${id} refuses the credential.`);

/** A response as messages: of a JSON body, or of an event stream. */
class Reading implements ResponseReceiver {
  readonly #listener: BackListener;
  readonly #failureOf: (problem: Error) => Error;
  /** Takes a 401 in place of the listener. */
  readonly #renew: (() => void) | null;
  readonly #ending: Ending | undefined;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #status = 0;
  #reader: SseReader | null = null;
  #flow: Flow | null = null;
  #over = false;

  constructor(
    listener: BackListener,
    failureOf: (problem: Error) => Error,
    renew: (() => void) | null,
    ending: Ending | undefined,
  ) {
    this.#listener = listener;
    this.#failureOf = failureOf;
    this.#renew = renew;
    this.#ending = ending;
  }

  begin(flow: Flow): boolean {
    this.#flow = flow;
    if (this.#ending?.aborted) {
      this.#end(gone());
      return false;
    }
    this.#ending?.on(this.#abort);
    return true;
  }

  head(status: number, headers: Headers): void {
    if (this.#over) return;
    this.#status = status;
    if (status === 401 && this.#renew !== null) {
      this.#over = true;
      this.#ending?.off(this.#abort);
      this.#flow!.abort(new Error('refused'));
      this.#renew();
      return;
    }
    if (/^text\/event-stream\b/i.test(String(headers['content-type'] ?? ''))) {
      this.#reader = new SseReader(({ id, data }) => {
        const message = asMessage(parseJson(data));
        if (message !== null && !this.#over) this.#listener.message(message, id);
      });
    }
    this.#listener.head?.(status, headers);
  }

  data(chunk: Buffer): void {
    if (this.#over) return;
    try {
      if (this.#reader !== null) {
        this.#reader.push(chunk);
        return;
      }
    } catch (error) {
      this.#flow!.abort(error as Error);
      this.#end(error as Error);
      return;
    }
    this.#size += chunk.length;
    if (this.#size > MAX_MESSAGE) {
      const error = new AppError('upstream_failed', 'The server sent a message larger than 16 MiB.');
      this.#flow!.abort(error);
      this.#end(error);
    } else this.#chunks.push(chunk);
  }

  end(): void {
    if (this.#over) return;
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const text = whole.toString('utf8');
    if (this.#reader === null && text !== '') {
      const value = parseJson(text);
      for (const one of Array.isArray(value) ? value : [value]) {
        const message = asMessage(one);
        if (message !== null) this.#listener.message(message, undefined);
      }
    }
    this.#end(null, text);
  }

  error(error: Error): void {
    this.#end(error);
  }

  #end(problem: Error | null, text = ''): void {
    if (this.#over) return;
    this.#over = true;
    this.#ending?.off(this.#abort);
    this.#listener.end(problem && this.#failureOf(problem), this.#status, text);
  }

  readonly #abort = (): void => {
    this.#flow?.abort(gone());
    this.#end(gone());
  };
}

const gone = () => new AppError('upstream_failed', 'Nobody waits for the answer any more.');
