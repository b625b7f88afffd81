import type { Counter, Histogram, Metrics } from '../platform/metrics.ts';
import type { Outcome } from './outcome.ts';

interface Series {
  readonly latency: Histogram;
  readonly results: Map<Outcome['result'], Counter>;
}

/** Counts calls by upstream and outcome; the series of an upstream are looked up once. */
export function createCallMetrics(metrics: Metrics): { record(outcome: Outcome): void } {
  const byUpstream = new Map<string, Series>();

  return {
    record({ upstream, result, took }) {
      const id = upstream?.id ?? '';
      let series = byUpstream.get(id);
      if (series === undefined) {
        const latency = metrics.histogram(
          'sallyport_call_seconds',
          'Time from the head of a request to the end of its response.',
          { upstream: id },
        );
        series = { latency, results: new Map() };
        byUpstream.set(id, series);
      }
      let counter = series.results.get(result);
      if (counter === undefined) {
        counter = metrics.counter('sallyport_calls_total', 'Calls by upstream and outcome.', {
          upstream: id,
          result,
        });
        series.results.set(result, counter);
      }
      counter.add();
      series.latency.observe(took / 1_000);
    },
  };
}
