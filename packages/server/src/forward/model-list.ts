import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Flow, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { matchesModel } from './model-globs.ts';
import { joined } from './named.ts';

/** A list of models is a few kilobytes. */
const MAX_LIST = 4 * 1024 * 1024;

/** OpenAI's model object, as the upstream wrote it. */
interface Model {
  readonly id: string;
}

export interface ModelListDeps {
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  transportTo(upstream: Upstream): Transport;
  runtime: Pick<Runtime, 'sleep'>;
  log: Logger;
  /** Milliseconds an upstream has. */
  timeout: number;
}

/**
 * The models of several upstreams as one list, asked all at once. One that is slow, fails, or for which the caller has no credential is
 * left out and named, and delays nobody past the timeout.
 */
export async function listModels(
  principal: Principal,
  upstreams: readonly Upstream[],
  deps: ModelListDeps,
): Promise<{ models: Model[]; missing: string[] }> {
  const lists = await Promise.all(
    upstreams.map(upstream =>
      withinTime(upstream, signal => modelsOf(principal, upstream, signal, deps), deps),
    ),
  );
  const missing = upstreams.filter((_, n) => lists[n] === null).map(upstream => upstream.id);
  const seen = new Set<string>();
  const models = lists.flatMap(list => list ?? []).filter(model => !seen.has(model.id) && seen.add(model.id));
  return { models, missing };
}

/** What `ask` answers within the timeout; null, with a line in the log, otherwise. */
async function withinTime<T>(
  upstream: Upstream,
  ask: (signal: AbortSignal) => Promise<T>,
  deps: ModelListDeps,
): Promise<T | null> {
  const over = new AbortController();
  const timeout = deps.runtime.sleep(deps.timeout, over.signal).then(() => {
    throw new Error(`no list of models within ${deps.timeout} ms`);
  });
  try {
    return await Promise.race([ask(over.signal), timeout]);
  } catch (error) {
    deps.log.warn({ upstream: upstream.id, err: error }, 'left out of the list of models');
    return null;
  } finally {
    timeout.catch(() => {});
    over.abort();
  }
}

async function modelsOf(
  principal: Principal,
  upstream: Upstream,
  signal: AbortSignal,
  deps: ModelListDeps,
): Promise<Model[]> {
  const credential = await deps.vault.credentialFor(principal, upstream);
  const headers = ['accept', 'application/json'];
  if (credential !== null) headers.push(credential.header, credential.value);
  const request = {
    method: 'GET',
    path: joined(upstream, '/models', ''),
    headers,
    body: null,
    headersTimeout: deps.timeout,
  };
  const text = await new Promise<string>((resolve, reject) => {
    deps.transportTo(upstream).send(request, new Collector(resolve, reject, signal));
  });
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
