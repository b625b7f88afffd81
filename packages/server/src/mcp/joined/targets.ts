import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import { isObject, type Request } from '../json-rpc.ts';
import type { AskOne } from './gather.ts';
import type { Members } from './members.ts';
import { joinedName, partsOf, partsOfUri } from './names.ts';
import type { Patience } from './patience.ts';
import { asOwn, namedIn } from './renaming.ts';

/** Pages of a list that are read to find a name that had to be shortened. */
const PAGES = 20;

/** What is meant by a joined name, for this principal: one of their servers, and what it calls it. */
export interface Target {
  readonly upstream: Upstream;
  readonly own: { name: string } | { uri: string };
}

/** Null where nothing is meant, or nothing that the principal may use: they cannot tell which. */
export interface Targets {
  /** @param method of the list in which it stands, where it is a name */
  find(
    principal: Principal,
    named: { name: string } | { uri: string },
    method: string,
    ask: AskOne,
  ): Promise<Target | null>;
  /** The same, of a request; and the request as its server is to get it. */
  of(principal: Principal, request: Request, ask: AskOne): Promise<(Target & { request: Request }) | null>;
}

export function createTargets(deps: { members: Members; patience: Patience }): Targets {
  const { members, patience } = deps;

  async function find(
    ...[principal, named, method, ask]: Parameters<Targets['find']>
  ): Promise<Target | null> {
    if ('uri' in named) {
      const parts = partsOfUri(named.uri);
      const upstream = parts === null ? undefined : members.find(principal, parts.prefix);
      return upstream === undefined ? null : { upstream, own: { uri: parts!.uri } };
    }
    const parts = partsOf(named.name);
    const upstream = parts === null ? undefined : members.find(principal, parts.prefix);
    if (upstream === undefined) return null;
    const name = parts!.shortened ? await longName(principal, upstream, named.name, method, ask) : null;
    return { upstream, own: { name: name ?? parts!.name } };
  }

  /** Nothing is kept of a shortened name: the server's list has the one that it stands for. */
  async function longName(
    principal: Principal,
    upstream: Upstream,
    joined: string,
    method: string,
    ask: AskOne,
  ): Promise<string | null> {
    const key = method.startsWith('tools/') ? 'tools' : 'prompts';
    let cursor: unknown;
    for (let page = 0; page < PAGES; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const { result } = await patience.within(principal, upstream, signal =>
        ask(upstream, `${key}/list`, params, signal),
      );
      const items: unknown = result?.[key];
      for (const item of Array.isArray(items) ? items : [])
        if (isObject(item) && joinedName(upstream.id, String(item['name'])) === joined)
          return String(item['name']);
      cursor = result?.['nextCursor'];
      if (cursor === undefined) return null;
    }
    return null;
  }

  return {
    find,
    async of(principal, request, ask) {
      const named = namedIn(request);
      const target = named === null ? null : await find(principal, named, request.method, ask);
      return target === null ? null : { ...target, request: asOwn(request, target.own) };
    },
  };
}
