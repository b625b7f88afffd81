import { AppError } from '../platform/errors.ts';
import { reasonOf } from '../platform/net-failure.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Flow, ResponseReceiver, Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';

/** A page waits for it, milliseconds. */
const PATIENCE = 5_000;
/** A list of models is a few kilobytes. */
const MAX_LIST = 1024 * 1024;

/** What a test came to, in words for people; nothing of what the upstream said is in it. */
export interface TestAnswer {
  readonly ok: boolean;
  readonly status: number | null;
  readonly took_ms: number | null;
  readonly said: string;
  readonly hint: string | null;
}

/** Calls an upstream once as a call of this principal would: same way, same credential. */
export type Probe = (principal: Principal, upstream: Upstream) => Promise<TestAnswer>;

export function createProbe(deps: {
  /** A way of its own, so that what is tried leaves no connection behind. */
  dial(upstream: Upstream): Transport & AsyncDisposable;
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  runtime: Pick<Runtime, 'monotonic' | 'sleep'>;
}): Probe {
  const { runtime, vault } = deps;

  return async (principal, upstream) => {
    let credential: Credential | null = null;
    let without: string | null = null;
    try {
      credential = await vault.credentialFor(principal, upstream);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      without = error.message;
    }
    await using transport = deps.dial(upstream);
    const started = runtime.monotonic();
    const over = new AbortController();
    const path = upstream.kind === 'openai' ? '/models' : '';
    try {
      const answer = new Promise<Answered>((resolve, reject) => {
        const receiver = new Receiver(upstream.kind === 'openai', resolve, reject);
        over.signal.addEventListener('abort', () => receiver.giveUp(), { once: true });
        const headers = ['accept', 'application/json, */*;q=0.5', 'user-agent', 'sallyport'];
        if (credential !== null) headers.push(credential.header, credential.value);
        const target = `${upstream.url.pathname.replace(/\/$/, '')}${path}` || '/';
        transport.send(
          { method: 'GET', path: target, headers, body: null, headersTimeout: PATIENCE },
          receiver,
        );
      });
      const impatient = runtime.sleep(PATIENCE, over.signal).then(() => {
        throw Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
      });
      impatient.catch(() => {});
      const answered = await Promise.race([answer, impatient]);
      const took_ms = Math.round(runtime.monotonic() - started);
      return { ...judged(answered, upstream, without), status: answered.status, took_ms };
    } catch (error) {
      return {
        ok: false,
        status: null,
        took_ms: null,
        said: `${upstream.url.host} ${reasonOf(error)}.`,
        hint: 'Check its URL, that it runs, DNS, the firewall and the certificate (NODE_EXTRA_CA_CERTS for one of your own).',
      };
    } finally {
      over.abort();
    }
  };
}

interface Answered {
  readonly status: number;
  /** How many models it lists; null where it was not asked, or listed none. */
  readonly models: number | null;
}

const REFUSED: Record<Upstream['credential']['use'], string> = {
  none: 'It wants a credential: choose what it receives.',
  key: 'Check the key, its header and the word before it.',
  'sign-in':
    'It does not take your own token: check which token it wants, and that the provider makes it for this upstream (scope, audience).',
};

/** @param without why no credential was sent, where that is so */
function judged(
  { status, models }: Answered,
  { kind, credential, url }: Upstream,
  without: string | null,
): Pick<TestAnswer, 'ok' | 'said' | 'hint'> {
  const where = `${url.host} answers ${status}`;
  if (without !== null && status < 500) {
    return {
      ok: true,
      said: `${where}, asked without a credential: the gateway has none of yours to send.`,
      hint: without,
    };
  }
  if (status === 401 || status === 403)
    return { ok: false, said: `${where}: it refuses the credential.`, hint: REFUSED[credential.use] };
  if (status >= 500) return { ok: false, said: `${where}: it fails.`, hint: 'Look at its own log.' };
  if (kind !== 'openai') return { ok: true, said: `${where}.`, hint: null };
  if (models === null) {
    return {
      ok: false,
      said: `${where} where its list of models should be.`,
      hint: 'Check the URL: it ends where /chat/completions begins, usually in /v1.',
    };
  }
  return {
    ok: true,
    said: `${where} and lists ${models === 1 ? 'one model' : `${models} models`}.`,
    hint: null,
  };
}

/** A response's status, and of a list of models how long it is. */
class Receiver implements ResponseReceiver {
  readonly #reads: boolean;
  readonly #resolve: (answered: Answered) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #status = 0;
  #flow: Flow | null = null;

  constructor(reads: boolean, resolve: (answered: Answered) => void, reject: (error: Error) => void) {
    this.#reads = reads;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(flow: Flow): boolean {
    this.#flow = flow;
    return true;
  }

  head(status: number): void {
    this.#status = status;
    if (!this.#reads || status !== 200) this.#settle(null);
  }

  data(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > MAX_LIST) this.#settle(null);
    else this.#chunks.push(chunk);
  }

  end(): void {
    this.#settle(modelsIn(Buffer.concat(this.#chunks).toString('utf8')));
  }

  error(error: Error): void {
    this.#reject(error);
  }

  giveUp(): void {
    this.#flow?.abort(new Error('no longer waited for'));
  }

  #settle(models: number | null): void {
    this.#resolve({ status: this.#status, models });
    this.giveUp();
  }
}

function modelsIn(text: string): number | null {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    return Array.isArray(data) ? data.length : null;
  } catch {
    return null;
  }
}
