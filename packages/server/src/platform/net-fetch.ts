import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Agent, fetch as undiciFetch } from 'undici';
import { AppError } from './errors.ts';
import { isForbiddenAddress, isLoopbackHost, isPrivateAddress, namesAddress } from './net.ts';

const MAX_REDIRECTS = 3;

export interface GuardedFetchOptions {
  /** Accept `http:` beyond loopback. */
  insecureHttp: boolean;
  /**
   * Let it reach private addresses. True for what the operator configured (an authorization server often lives on one), and
   * `privateAddresses` of the configuration for what users may write.
   */
  privateAddresses: boolean;
  /** Milliseconds for the whole exchange, redirects and body included. */
  timeout?: number;
  /** Bytes of the decoded body. */
  maxBody?: number;
  /** How names are resolved; tests own it. */
  resolve?: LookupFunction;
}

/** A `fetch` with the whole body already read, closed by its owner. */
export type GuardedFetch = ((url: string | URL, init?: RequestInit) => Promise<Response>) & AsyncDisposable;

const addressIsRefused = (address: string, privateAddresses: boolean): boolean =>
  isForbiddenAddress(address) || (!privateAddresses && isPrivateAddress(address));

/** Looks a name up for a connection, and refuses it where the address that would be dialled is refused. */
export function createGuardedLookup(options: {
  privateAddresses: boolean;
  resolve?: LookupFunction;
}): LookupFunction {
  const { privateAddresses, resolve = lookup as LookupFunction } = options;
  return (hostname, how, done) => {
    resolve(hostname, { ...how, all: true }, (error, addresses) => {
      if (error) return done(error, '', 0);
      const all = addresses as unknown as { address: string; family: number }[];
      // One bad address condemns the name: which one is dialled is not ours to predict.
      if (all.length === 0 || all.some(({ address }) => addressIsRefused(address, privateAddresses)))
        return done(addressRefused(hostname), '', 0);
      if (how.all) return (done as unknown as (error: null, all: unknown) => void)(null, all);
      return done(null, all[0]!.address, all[0]!.family);
    });
  };
}

/**
 * The one way out for requests of our own (discovery, tokens, key sets, documents): https only, except to this machine or where
 * the operator said otherwise; no forbidden address, checked after DNS on the address that is dialled, so that a name that
 * changes its mind between check and use gains nothing; redirects not followed for what carries a body, and checked anew for
 * what is read; time and size bounded.
 * @throws AppError `upstream_unreachable` for a refused address or scheme, or no answer in time; `upstream_failed` for too long a body
 */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const {
    insecureHttp,
    privateAddresses,
    timeout = 20_000,
    maxBody = 1024 * 1024,
    resolve = lookup as LookupFunction,
  } = options;
  const refused = (address: string): boolean => addressIsRefused(address, privateAddresses);
  let opened: Promise<{ agent: Agent; fetch: typeof undiciFetch }> | null = null;

  /** Loaded when something is asked for: at the start it would be waited for. */
  async function open(): Promise<{ agent: Agent; fetch: typeof undiciFetch }> {
    const { Agent, fetch } = await import('undici');
    const agent = new Agent({
      connect: { lookup: createGuardedLookup({ privateAddresses, resolve }), timeout },
      headersTimeout: timeout,
      bodyTimeout: timeout,
      keepAliveTimeout: 4_000,
    });
    return { agent, fetch };
  }

  function check(url: URL): void {
    const plainAllowed = url.protocol === 'http:' && (insecureHttp || isLoopbackHost(url.hostname));
    if (url.protocol !== 'https:' && !plainAllowed) {
      throw new AppError(
        'upstream_unreachable',
        `${url.host} is refused: only https is allowed (option insecureHttp).`,
      );
    }
    // A literal address is dialled without any look-up.
    if (namesAddress(url) && refused(url.hostname)) throw addressRefused(url.host);
  }

  async function once(url: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
    check(url);
    try {
      const { agent, fetch } = await (opened ??= open());
      const response = await fetch(url, {
        ...init,
        redirect: 'manual',
        signal,
        dispatcher: agent,
      } as Parameters<typeof undiciFetch>[1]);
      const headers = new Headers([...response.headers]);
      headers.delete('content-encoding');
      headers.delete('content-length');
      const body = await readBounded(response.body as AsyncIterable<Uint8Array> | null, maxBody, url);
      const empty = [204, 205, 304].includes(response.status);
      return new Response(empty ? null : body, {
        status: response.status,
        statusText: response.statusText,
        headers,
      });
    } catch (error) {
      throw asRefusal(error, url, init.signal ?? null);
    }
  }

  async function guardedFetch(target: string | URL, init: RequestInit = {}): Promise<Response> {
    const timer = AbortSignal.timeout(timeout);
    const signal = init.signal ? AbortSignal.any([init.signal, timer]) : timer;
    const follows =
      (init.redirect ?? 'follow') === 'follow' &&
      ['GET', 'HEAD'].includes(init.method?.toUpperCase() ?? 'GET');
    let url = new URL(target);
    let request = init;
    for (let hop = 0; ; hop++) {
      const response = await once(url, request, signal);
      const location =
        response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
      if (location === null || !follows) return response;
      if (hop === MAX_REDIRECTS)
        throw new AppError('upstream_unreachable', `${url.host} redirects too often.`);
      const next = new URL(location, url);
      if (next.origin !== url.origin) request = withoutCredentials(request);
      url = next;
    }
  }

  return Object.assign(guardedFetch, { [Symbol.asyncDispose]: async () => (await opened)?.agent.destroy() });
}

const addressRefused = (host: string): AppError =>
  new AppError(
    'upstream_unreachable',
    `${host} is refused: it is, or resolves to, a private address (option privateAddresses).`,
  );

async function readBounded(
  body: AsyncIterable<Uint8Array> | null,
  max: number,
  url: URL,
): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > max)
      throw new AppError('upstream_failed', `The answer of ${url.host} is longer than ${max} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function withoutCredentials(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers);
  headers.delete('authorization');
  headers.delete('cookie');
  return { ...init, headers };
}

/** Undici wraps what a look-up throws; the caller's own abort stays what it is. */
function asRefusal(error: unknown, url: URL, signal: AbortSignal | null): unknown {
  if (signal?.aborted) return signal.reason;
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof AppError) return cause;
  return new AppError('upstream_unreachable', `${url.host} did not answer.`, { cause: error });
}
