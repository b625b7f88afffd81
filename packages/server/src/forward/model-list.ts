import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Flow, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { matchesModel } from './model-globs.ts';
import { joined } from './named.ts';
import type { Outcome } from './outcome.ts';
import { upstreamFailure } from './upstream-failure.ts';

/** A list of models is a few kilobytes. */
const MAX_LIST = 4 * 1024 * 1024;
/** What belongs to the caller's trace (W3C Trace Context). */
const TRACE = ['traceparent', 'tracestate'] as const;

/** OpenAI's model object, as the upstream wrote it. */
interface Model {
  readonly id: string;
}

export interface ModelListDeps {
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  transportTo(upstream: Upstream): Transport;
  /** Told of each credential that went to an upstream. */
  used(use: Pick<Outcome, 'principal' | 'upstream' | 'credential' | 'result' | 'address'>): void;
  addressOf(call: Call): string;
  runtime: Pick<Runtime, 'sleep'>;
  log: Logger;
  /** Milliseconds an upstream has. */
  timeout: number;
}

/**
 * The models of several upstreams as one list, asked all at once. One that is slow, fails, or for which the caller has no credential is
 * left out and named, and delays nobody past the timeout.
 * @throws AppError what the first one failed with, when all of them did
 */
export async function listModels(
  call: Call,
  principal: Principal,
  upstreams: readonly Upstream[],
  deps: ModelListDeps,
): Promise<{ models: Model[]; missing: string[] }> {
  const asked = await Promise.allSettled(
    upstreams.map(upstream => withinTime(deps, signal => modelsOf(call, principal, upstream, signal, deps))),
  );
  const missing: string[] = [];
  const models = new Map<string, Model>();
  asked.forEach((list, n) => {
    const upstream = upstreams[n]!;
    if (list.status === 'rejected') {
      missing.push(upstream.id);
      deps.log.warn({ upstream: upstream.id, err: list.reason }, 'left out of the list of models');
    } else {
      // Of two upstreams with the same model, the first is the one that a call reaches.
      for (const model of list.value) if (!models.has(model.id)) models.set(model.id, model);
    }
  });
  const [first] = asked;
  if (first?.status === 'rejected' && missing.length === upstreams.length)
    throw upstreamFailure(first.reason, upstreams[0]!);
  return { models: [...models.values()], missing };
}

/** What `ask` answers within the timeout; behind it, the asking is aborted. */
async function withinTime<T>(deps: ModelListDeps, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const timeout = deps.runtime.sleep(deps.timeout, over.signal).then(() => {
    throw Object.assign(new Error(`no list of models within ${deps.timeout} ms`), { code: 'ETIMEDOUT' });
  });
  try {
    return await Promise.race([ask(over.signal), timeout]);
  } finally {
    timeout.catch(() => {});
    over.abort();
  }
}

async function modelsOf(
  call: Call,
  principal: Principal,
  upstream: Upstream,
  signal: AbortSignal,
  deps: ModelListDeps,
): Promise<Model[]> {
  const credential = await deps.vault.credentialFor(principal, upstream);
  const headers = ['accept', 'application/json', 'x-request-id', call.requestId];
  for (const name of TRACE)
    if (typeof call.headers[name] === 'string') headers.push(name, call.headers[name]);
  if (credential !== null) headers.push(credential.header, credential.value);
  const request = {
    method: 'GET',
    path: joined(upstream, '/models', ''),
    headers,
    body: null,
    headersTimeout: deps.timeout,
  };
  const answer = new Promise<string>((resolve, reject) => {
    deps.transportTo(upstream).send(request, new Collector(resolve, reject, signal));
  });
  const address = deps.addressOf(call);
  const used = (result: Outcome['result']) => deps.used({ principal, upstream, credential, result, address });
  answer.then(
    () => used('ok'),
    () => used('upstream_error'),
  );
  const text = await answer;
  const { data } = JSON.parse(text) as { data?: unknown };
  if (!Array.isArray(data)) throw new Error('no list of models');
  return (data as Model[]).filter(
    model => typeof model?.id === 'string' && matchesModel(upstream.models, model.id),
  );
}

/** A small response as text. */
class Collector implements ResponseReceiver {
  readonly #resolve: (text: string) => void;
  readonly #reject: (error: Error) => void;
  readonly #signal: AbortSignal;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #flow: Flow | null = null;

  constructor(resolve: (text: string) => void, reject: (error: Error) => void, signal: AbortSignal) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
  }

  begin(flow: Flow): boolean {
    this.#flow = flow;
    this.#signal.addEventListener('abort', () => flow.abort(new Error('no longer waited for')), {
      once: true,
    });
    return !this.#signal.aborted;
  }

  head(status: number): void {
    if (status !== 200) this.#flow!.abort(new Error(`status ${status}`));
  }

  data(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > MAX_LIST) this.#flow!.abort(new Error('the list is too long'));
    else this.#chunks.push(chunk);
  }

  end(): void {
    this.#resolve(Buffer.concat(this.#chunks).toString('utf8'));
  }

  error(error: Error): void {
    this.#reject(error);
  }
}
