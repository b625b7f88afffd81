import type { Counter, Histogram, Metrics } from '../platform/metrics.ts';
import type { Outcome } from './outcome.ts';

/** By which all tunnels are counted together: their ids hold the names of users. */
const TUNNELS = '{user}/{name}';

interface Series {
  readonly latency: Histogram;
  readonly results: Map<Outcome['result'], Counter>;
}

/** What is counted, and under which names. */
export interface CallSeries {
  readonly calls: { readonly name: string; readonly help: string };
  readonly seconds: { readonly name: string; readonly help: string };
}

export const CALLS: CallSeries = {
  calls: { name: 'sallyport_calls_total', help: 'Calls by upstream and outcome.' },
  seconds: {
    name: 'sallyport_call_seconds',
    help: 'Time from the head of a request to the end of its response.',
  },
};
export const CHECKS: CallSeries = {
  calls: { name: 'sallyport_checks_total', help: 'Questions of proxies by upstream and outcome.' },
  seconds: { name: 'sallyport_check_seconds', help: 'Time to answer a proxy.' },
};

/** Counts calls by upstream and outcome; the series of an upstream are looked up once. */
export function createCallMetrics(
  metrics: Metrics,
  { calls, seconds }: CallSeries = CALLS,
): { record(outcome: Outcome): void } {
  const byUpstream = new Map<string, Series>();

  return {
    record({ upstream, result, took }) {
      const own = upstream?.id ?? '';
      const id = own.includes('/') ? TUNNELS : own;
      let series = byUpstream.get(id);
      if (series === undefined) {
        const latency = metrics.histogram(seconds.name, seconds.help, { upstream: id });
        series = { latency, results: new Map() };
        byUpstream.set(id, series);
      }
      let counter = series.results.get(result);
      if (counter === undefined) {
        counter = metrics.counter(calls.name, calls.help, { upstream: id, result });
        series.results.set(result, counter);
      }
      counter.add();
      series.latency.observe(took / 1_000);
    },
  };
}
