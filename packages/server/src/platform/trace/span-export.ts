import type { Logger } from '../log.ts';
import type { Counter } from '../metrics.ts';
import type { Runtime } from '../runtime.ts';
import type { Span } from './tracer.ts';

/** OpenTelemetry's own defaults for a batch processor. */
const BATCH = 512;
const MAX_WAITING = 2_048;
const DELAY = 5_000;
const MIN_BACKOFF = 1_000;
const MAX_BACKOFF = 60_000;
/** What a gateway that ends gives its collector, milliseconds. */
const PATIENCE = 2_000;
/** OTLP section "Failures": these may be tried again, everything else not. */
const RETRYABLE = new Set([429, 502, 503, 504]);

export interface SpanExport extends AsyncDisposable {
  /** Returns at once. What finds no room is dropped: a collector that is away costs its spans, and no request anything. */
  take(spans: readonly Span[]): void;
}

/**
 * Sends spans to a collector by OTLP over HTTP, in batches, one at a time, behind the requests they tell of.
 * @param deps.url where to post, `/v1/traces` included
 * @param deps.encode a request body of spans
 */
export function createSpanExport(deps: {
  url: URL;
  headers: Readonly<Record<string, string>>;
  encode(spans: readonly Span[]): string;
  fetch: (url: URL, init: RequestInit) => Promise<Response>;
  exported: Counter;
  dropped: Counter;
  runtime: Runtime;
  log: Logger;
}): SpanExport {
  const { runtime, log } = deps;
  const waiting: Span[] = [];
  const over = new AbortController();
  let sending: Promise<void> | null = null;
  let failures = 0;
  let retryAt = 0;

  async function sendAll(): Promise<void> {
    while (waiting.length > 0 && runtime.monotonic() >= retryAt) {
      const batch = waiting.slice(0, BATCH);
      const answer = await post(batch);
      if (answer.again) return backOff(answer);
      waiting.splice(0, batch.length);
      (answer.ok ? deps.exported : deps.dropped).add(batch.length);
      if (!answer.ok)
        log.warn({ status: answer.status }, 'the trace collector refuses spans; they are dropped');
      else if (failures > 0) log.info('the trace collector takes spans again');
      failures = 0;
    }
  }

  async function post(batch: readonly Span[]) {
    try {
      const { status, ok, headers } = await deps.fetch(deps.url, {
        method: 'POST',
        headers: { ...deps.headers, 'content-type': 'application/json' },
        body: deps.encode(batch),
      });
      const seconds = Number(headers.get('retry-after'));
      return { ok, status, again: RETRYABLE.has(status), wait: seconds > 0 ? seconds * 1_000 : 0 };
    } catch (error) {
      const { code } = error as { code?: string };
      return { ok: false, status: code ?? 'unreachable', again: true, wait: 0 };
    }
  }

  function backOff({ status, wait }: { status: number | string; wait: number }): void {
    if (failures === 0)
      log.warn({ status }, 'the trace collector does not take spans; they are kept while there is room');
    const backoff = Math.max(wait, MIN_BACKOFF * 2 ** failures);
    failures += 1;
    retryAt = runtime.monotonic() + Math.min(backoff, MAX_BACKOFF);
  }

  function send(): Promise<void> {
    sending ??= sendAll().finally(() => {
      sending = null;
    });
    return sending;
  }

  const turns = (async () => {
    while (!over.signal.aborted) {
      await runtime.sleep(DELAY, over.signal).catch(() => {});
      await send();
    }
  })();

  return {
    take(spans) {
      for (const span of spans) {
        if (waiting.length < MAX_WAITING) waiting.push(span);
        else deps.dropped.add();
      }
      if (waiting.length >= BATCH) void send();
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      const waited = new AbortController();
      await Promise.race([turns.then(() => send()), runtime.sleep(PATIENCE, waited.signal).catch(() => {})]);
      waited.abort();
    },
  };
}
