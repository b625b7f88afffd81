import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import { type Params, parseJson } from '../json-rpc.ts';
import { CODE } from '../protocol.ts';
import { invalidCursor } from '../refusal.ts';
import { toolsOf } from '../tool-rules.ts';
import type { Answered } from './ask.ts';
import type { Members } from './members.ts';
import { prefixOf } from './names.ts';
import type { Patience } from './patience.ts';
import { LISTS, listedBy } from './renaming.ts';

/** Says in a result whose part of it is missing. */
export const MISSING = 'sallyport/missing';

/** How one of the servers is asked for its part. */
export type AskOne = (to: Upstream, method: string, params: Params, signal: AbortSignal) => Promise<Answered>;

export interface Gathered {
  readonly value: Params;
  /** Those whose part did not come. */
  readonly missing: readonly Upstream[];
}

/**
 * One page of a list of all: the first pages of all, then the second of those that have one, and so on. All are asked at once; within a page the order is by
 * upstream, then the server's own. @throws Refusal for a cursor that is none of ours
 */
export type Gather = (principal: Principal, method: string, params: Params, ask: AskOne) => Promise<Gathered>;

export function createGather(deps: { members: Members; patience: Patience }): Gather {
  const { members, patience } = deps;

  return async (principal, method, params, ask) => {
    const key = LISTS[method]!;
    const pages = pagesOf(params['cursor']);
    const { cursor: _all, ...rest } = params;
    const missing: Upstream[] = [];
    const asked = members.of(principal).filter(({ id }) => pages === null || pages.has(prefixOf(id)));
    const answers = await Promise.all(
      asked.map(async upstream => {
        const cursor = pages?.get(prefixOf(upstream.id));
        const own = cursor === undefined ? rest : { ...rest, cursor };
        try {
          const { result, error } = await patience.within(principal, upstream, signal =>
            ask(upstream, method, own, signal),
          );
          if (result !== undefined) return { upstream, result };
          // It has nothing of the kind.
          if (error?.code !== CODE.unknownMethod) missing.push(upstream);
        } catch {
          missing.push(upstream);
        }
        return { upstream, result: {} as Params };
      }),
    );
    const next = answers.flatMap(({ upstream, result: { nextCursor } }) =>
      typeof nextCursor === 'string' ? [[prefixOf(upstream.id), nextCursor]] : [],
    );
    const value = {
      [key]: answers.flatMap(({ upstream, result }) => itemsOf(principal, upstream, method, result[key])),
      ...(next.length > 0 && { nextCursor: Buffer.from(JSON.stringify(next)).toString('base64url') }),
      ...(missing.length > 0 && { _meta: { [MISSING]: missing.map(({ id }) => id).toSorted() } }),
    };
    return { value, missing };
  };
}

function itemsOf(principal: Principal, upstream: Upstream, method: string, items: unknown): unknown[] {
  if (!Array.isArray(items)) return [];
  const may = method === 'tools/list' ? toolsOf(principal, upstream.mcp?.tools) : null;
  const own = may === null ? items : items.filter(item => may(String(item?.name)));
  return own.map(item => listedBy(upstream, method, item));
}

/** Where each of them goes on. It comes from the client: what it names that the client may not use is as if it were not there. */
function pagesOf(cursor: unknown): Map<string, string> | null {
  // Some clients begin with an empty one.
  if (cursor === undefined || cursor === '') return null;
  const pages = typeof cursor === 'string' ? parseJson(Buffer.from(cursor, 'base64url').toString()) : null;
  const isPage = (one: unknown): one is [string, string] =>
    Array.isArray(one) && one.length === 2 && one.every(part => typeof part === 'string');
  if (!Array.isArray(pages) || pages.length === 0 || !pages.every(isPage)) throw invalidCursor();
  return new Map(pages);
}
