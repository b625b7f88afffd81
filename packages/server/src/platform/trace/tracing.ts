import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createGuardedFetch } from '../net-fetch.ts';
import type { Runtime } from '../runtime.ts';
import type { Secret } from '../secret.ts';
import { readHeaderList } from './header-list.ts';
import { otlpRequest } from './otlp.ts';
import { createSampler, type SamplerName } from './sampler.ts';
import { createSpanExport } from './span-export.ts';
import { createTracer, type StartTrace } from './tracer.ts';

/** What a collector has to answer, milliseconds. */
const TIMEOUT = 10_000;

/** Where traces go, and which. */
export interface TracingOptions {
  readonly url: URL;
  /** A list, as `readHeaderList` reads it. */
  readonly headers: Secret | null;
  readonly serviceName: string;
  readonly version: string;
  readonly sampler: SamplerName;
  /** From 0 to 1. */
  readonly ratio: number;
}

/** Traces of calls, from the decision whether one is made to the collector that takes it. */
export interface Tracing extends AsyncDisposable {
  readonly start: StartTrace;
}

export function openTracing(
  options: TracingOptions,
  deps: { metrics: Metrics; runtime: Runtime; log: Logger },
): Tracing {
  const { metrics, runtime, log } = deps;
  const { serviceName, version } = options;
  const resource = { 'service.name': serviceName, 'service.version': version };
  const spans = (result: string) =>
    metrics.counter('sallyport_spans_total', 'Spans by what became of them.', { result });
  // An operator's collector stands where it stands, on a plain private address as a rule.
  const fetch = createGuardedFetch({ insecureHttp: true, privateAddresses: true, timeout: TIMEOUT });
  const { take, [Symbol.asyncDispose]: finish } = createSpanExport({
    url: options.url,
    headers: (options.headers && readHeaderList(options.headers.reveal())) ?? {},
    encode: some => otlpRequest(some, { resource, version }),
    fetch,
    exported: spans('exported'),
    dropped: spans('dropped'),
    runtime,
    log,
  });
  return {
    start: createTracer({ sampler: createSampler(options.sampler, options.ratio), take, runtime }),
    async [Symbol.asyncDispose]() {
      await finish();
      await fetch[Symbol.asyncDispose]();
    },
  };
}
