import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import { prefixOf } from './names.ts';

/** The MCP servers that a principal may use, wherever they stand: the same order every time. */
export interface Members {
  of(principal: Principal): readonly Upstream[];
  /** By what names begin with. One that the principal may not use is as one that is not there. */
  find(principal: Principal, prefix: string): Upstream | undefined;
}

export function createMembers(deps: {
  upstreams: { list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
}): Members {
  const of = (principal: Principal) =>
    deps.upstreams
      .list()
      .filter(upstream => upstream.kind === 'mcp' && deps.may(principal, upstream))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { of, find: (principal, prefix) => of(principal).find(({ id }) => prefixOf(id) === prefix) };
}
