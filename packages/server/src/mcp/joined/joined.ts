import type { Bus } from '../../platform/bus.ts';
import type { Call } from '../../terms/journey.ts';
import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import type { BackHttp } from '../back-http.ts';
import { legacyCapabilities } from '../capabilities.ts';
import type { Eras } from '../eras.ts';
import { decodeHeader } from '../header-value.ts';
import type { HeldBack, HeldListener } from '../held-back.ts';
import { isObject, metaOf, type Params, type Request, request as requestOf } from '../json-rpc.ts';
import type { LegacyPool } from '../legacy-pool.ts';
import type { Visit } from '../mcp.ts';
import { isLegacyVersion, META, NAMED_BY } from '../protocol.ts';
import type { ToolCalls } from '../tool-calls.ts';
import { type Asker, createAsk } from './ask.ts';
import { createGather } from './gather.ts';
import { holdOnMany } from './held-on-many.ts';
import { listenOnMany } from './listen-on-many.ts';
import { createMembers } from './members.ts';
import { createModernOnMany } from './modern-on-many.ts';
import { createPatience } from './patience.ts';
import { createTargets, type Target } from './targets.ts';

type Caller = Pick<Visit, 'principal' | 'upstream'>;

export type JoinedDeps = Parameters<typeof createMembers>[0] &
  Parameters<typeof createPatience>[0] & {
    eras: Eras;
    back: Pick<BackHttp, 'ask'>;
    pool: LegacyPool;
    toolCalls: ToolCalls;
    bus: Pick<Bus, 'subscribe'>;
    addressOf(call: Call): string;
    /** What stands behind a session at one server. */
    hold(caller: Caller, request: Request, id: string, listener: HeldListener): Promise<HeldBack>;
  };

/** The joined endpoint: all MCP servers that a caller may use, as one server of either era. */
export interface Joined {
  /** Of a modern request that is for one of the servers, which; by its headers alone. */
  targetOf(call: Call, principal: Principal): Promise<Target | null>;
  /** What is for several of them, or none. */
  modern: ReturnType<typeof createModernOnMany>;
  /** What stands behind a legacy client's session. */
  hold(visit: Visit, request: Request, id: string, listener: HeldListener): Promise<HeldBack>;
}

export function createJoined(deps: JoinedDeps): Joined {
  const members = createMembers(deps);
  const patience = createPatience(deps);
  const gather = createGather({ members, patience });
  const targets = createTargets({ members, patience });
  const ask = createAsk(deps);

  const hold = (principal: Principal, request: Request, id: string, listener: HeldListener) =>
    holdOnMany(
      {
        principal,
        members,
        patience,
        gather,
        targets,
        toolCalls: deps.toolCalls,
        bus: deps.bus,
        addressOf: visit => deps.addressOf(visit.call),
        open: (upstream: Upstream, heard) => deps.hold({ principal, upstream }, request, id, heard),
      },
      listener,
    );

  return {
    async targetOf({ headers }, principal) {
      const method = headers['mcp-method'];
      const key = typeof method === 'string' ? NAMED_BY[method] : undefined;
      const name = headers['mcp-name'];
      const version = headers['mcp-protocol-version'];
      if (key === undefined || key === 'taskId' || typeof name !== 'string') return null;
      if (version === undefined || isLegacyVersion(version)) return null;
      const named = decodeHeader(name);
      if (named === null) return null;
      // For a list of its own, if the name had to be shortened: the client's capabilities have no part in it.
      const asker: Asker = { principal, capabilities: {}, clientInfo: undefined };
      return targets.find(
        principal,
        key === 'uri' ? { uri: named } : { name: named },
        method as string,
        (to, ...rest) => ask.one(asker, to, ...rest),
      );
    },
    modern: createModernOnMany({
      members,
      patience,
      gather,
      targets,
      ask,
      listen: (visit, request) =>
        listenOnMany(visit, request, listener =>
          hold(visit.principal, initializing(request), `listen ${String(request.id)}`, listener),
        ),
    }),
    hold: ({ principal }, request, id, listener) => hold(principal, request, id, listener),
  };
}

/** What a modern client says of itself, as a legacy one says it when it begins. */
function initializing({ params }: Request): Request {
  const meta = metaOf(params);
  const declared = meta[META.capabilities];
  return requestOf(0, 'initialize', {
    capabilities: legacyCapabilities(isObject(declared) ? declared : {}),
    clientInfo: meta[META.client],
  } as Params);
}
