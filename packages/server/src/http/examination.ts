import type { Config } from '../config/types.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';
import { checkProvider, checkPublicUrl, checkStored, checkUpstream, type Finding } from './checks.ts';

/** Something that admins defined and that cannot be used. */
export interface Resting {
  readonly id: string;
  readonly problem: string | null;
}

/** What `sallyport doctor` looks at, from within. */
export function createExamination(deps: {
  config: Config;
  checkDatabase(): Promise<void>;
  /** How many records are sealed under a key that is not in the ring. */
  unreadable(): Promise<number>;
  providers: { list(): readonly Provider[]; entries(): readonly Resting[] };
  upstreams: { list(): readonly Upstream[]; entries(): readonly Resting[] };
  runtime: Pick<Runtime, 'now'>;
}): () => Promise<Finding[]> {
  const { config, providers, upstreams } = deps;
  return async () => {
    const found = await Promise.all([
      checkPublicUrl(config),
      checkStored({ store: config.store, checkDatabase: deps.checkDatabase, unreadable: deps.unreadable }),
      ...providers.list().map(provider => checkProvider(provider, config, deps.runtime)),
      ...upstreams.list().map(upstream => checkUpstream(upstream, config)),
      resting('provider', providers.entries()),
      resting('upstream', upstreams.entries()),
    ]);
    return found.flat();
  };
}

/** Says so of each that rests, and what to do. */
export const resting = (what: string, entries: readonly Resting[]): Finding[] =>
  entries.flatMap(({ id, problem }) =>
    problem === null
      ? []
      : [{ what: `${what} ${id}`, found: problem, advice: 'Change it in the console, or remove it.' }],
  );
