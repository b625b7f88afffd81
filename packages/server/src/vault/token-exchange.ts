import { AsyncLocalStorage } from 'node:async_hooks';
import { type Configuration, type CustomFetch, customFetch } from 'openid-client';
import { AppError } from '../platform/errors.ts';

/** Three tokens of 64 KB, and what surrounds them. */
const MAX_BODY = 256 * 1024;

/** What a token endpoint answered, whatever the library makes of it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body, where it is a JSON object. */
  json(): Record<string, unknown> | null;
}

/**
 * One request to a token endpoint as it went over the network. The library decides what an answer is worth, and tells little about those
 * it refuses; whether a refresh token may have been redeemed is decided by what really came back.
 */
export class Exchange {
  /** Null while, or because, no whole answer came. */
  answer: Answer | null = null;
  /** Why none came. */
  failure: unknown = null;
  /** The request was sent, and only our timeout ended it. */
  underway = false;
  readonly #timeout: number;

  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Runs the library's call; its first POST is the exchange. */
  run<T>(call: () => Promise<T>): Promise<T> {
    return current.run(this, call);
  }

  readonly send = async (
    fetch: CustomFetch,
    ...[url, options]: Parameters<CustomFetch>
  ): Promise<Response> => {
    const over = new AbortController();
    const timer = setTimeout(() => {
      // A process that was asleep finds the timer rung and the answer waiting at once: the answer goes first.
      setImmediate(() => over.abort(new DOMException('the provider did not answer in time', 'TimeoutError')));
    }, this.#timeout);
    const signal = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal;
    try {
      const response = await fetch(url, { ...options, signal });
      const text = await read(response);
      this.answer = { status: response.status, headers: response.headers, json: () => jsonObject(text) };
      const empty = [204, 205, 304].includes(response.status);
      return new Response(empty ? null : text, { status: response.status, headers: response.headers });
    } catch (error) {
      this.failure = error;
      this.underway = signal.aborted || !isOver(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}

const current = new AsyncLocalStorage<Exchange>();
const observed = new WeakSet<Configuration>();

/** Lets an `Exchange` see the requests that are made with a configuration. */
export function observe(configuration: Configuration): Configuration {
  if (observed.has(configuration)) return configuration;
  observed.add(configuration);
  const inner: CustomFetch =
    configuration[customFetch] ?? ((url, options) => fetch(url, options as RequestInit));
  configuration[customFetch] = (url, options) => {
    const exchange = current.getStore();
    return exchange !== undefined && options.method === 'POST'
      ? exchange.send(inner, url, options)
      : inner(url, options);
  };
  return configuration;
}

async function read(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    // No token response: the library will find nothing in it.
    if (text.length > MAX_BODY) return '';
  }
  return text + decoder.decode();
}

function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Codes of a connection that was never made, or that the other side ended: nothing of it can reach the provider any more. */
const OVER = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

function isOver(error: unknown): boolean {
  // Our own refusal to send.
  if (error instanceof AppError && error.cause === undefined) return true;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === undefined) continue;
    // TLS failures come before the request; a broken or overlong answer after it was dealt with.
    if (OVER.has(code) || /^(?:ERR_TLS|ERR_SSL|CERT_|HPE_)|SELF_SIGNED|UNABLE_TO_/.test(code)) return true;
  }
  return false;
}
