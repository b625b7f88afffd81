import type { Lookups } from '../platform/cache.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Runtime } from '../platform/runtime.ts';

/** A scrape does not wait longer for the database, milliseconds. */
const PATIENCE = 2_000;

/** Of everything that is kept so that the warm path needs no database. */
export const createLookups = () => ({
  session: { hits: 0, misses: 0 },
  key: { hits: 0, misses: 0 },
  jwt: { hits: 0, misses: 0 },
  'proxy-header': { hits: 0, misses: 0 },
  grant: { hits: 0, misses: 0 },
});

/** What the gateway knows of itself when it is asked: calls under way, grants, caches. */
export function watchGateway(
  metrics: Metrics,
  deps: {
    upstreams: { list(): readonly { readonly id: string }[] };
    /** Calls under way to an upstream. */
    open(upstreamId: string): number;
    /** How many grants are in each state; of all replicas together. */
    grants(): Promise<ReadonlyMap<string, number>>;
    lookups: Readonly<Record<string, Lookups>>;
    runtime: Pick<Runtime, 'sleep'>;
  },
): void {
  const { upstreams, lookups, runtime } = deps;

  metrics.watchEach('gauge', 'sallyport_open_calls', 'Calls under way, open streams among them.', () =>
    upstreams.list().map(({ id }) => [{ upstream: id }, deps.open(id)]),
  );
  metrics.watchEach('gauge', 'sallyport_grants', 'Grants in the database by state.', async () => {
    const over = new AbortController();
    const late = runtime.sleep(PATIENCE, over.signal).then(() => {
      throw new Error('the database did not say in time');
    });
    late.catch(() => {});
    try {
      const states = await Promise.race([deps.grants(), late]);
      const count = (state: string): number => states.get(state) ?? 0;
      return [
        // One that is being refreshed goes on being used.
        [{ state: 'ready' }, count('idle') + count('redeeming')],
        [{ state: 'reauth_required' }, count('reauth_required')],
      ];
    } finally {
      over.abort();
    }
  });
  metrics.watchEach(
    'counter',
    'sallyport_cache_lookups_total',
    'Credentials and grants that memory knew, or that were read from the database.',
    () =>
      Object.entries(lookups).flatMap(([cache, { hits, misses }]) => [
        [{ cache, result: 'hit' }, hits],
        [{ cache, result: 'miss' }, misses],
      ]),
  );
}
