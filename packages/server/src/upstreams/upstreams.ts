import type { Upstream } from '../terms/upstream.ts';

/** The destinations this gateway knows. */
export interface Upstreams {
  find(id: string): Upstream | undefined;
  list(): readonly Upstream[];
}

export function createUpstreams(configured: readonly Upstream[]): Upstreams {
  const byId = new Map(configured.map(upstream => [upstream.id, upstream]));
  return { find: id => byId.get(id), list: () => configured };
}
