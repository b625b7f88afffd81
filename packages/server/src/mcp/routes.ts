import { AppError } from '../platform/errors.ts';
import type { Call, Destination, Forward } from '../terms/journey.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Joined } from './joined/joined.ts';
import { JOINED } from './joined/joined-upstream.ts';
import { asOwnCall, oneOfMany } from './joined/one-of-many.ts';
import type { Mcp, Visit } from './mcp.ts';

const PREFIX = '/mcp';
/** `/mcp/{upstream}`; a tunnel's id is `{user}/{name}`. */
const ENDPOINT = /^\/mcp\/([A-Za-z0-9][A-Za-z0-9._@-]{0,99}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,2})$/;
/** The two endpoints of the transport of 2024-11-05, which old clients still speak. */
const HTTP_SSE = /^(.+)\/(sse|messages)$/;

/** `/mcp/{upstream}`: any MCP client, to any MCP server; `/mcp`: to all of them at once. */
export function mcpRoutes(deps: {
  mcp: Mcp;
  joined: Pick<Joined, 'targetOf'>;
  forward: Forward;
  upstreams: { find(id: string): Upstream | undefined };
  may(principal: Principal, upstream: Upstream): boolean;
  publicUrl: URL;
  answer(call: Call, error: AppError): void;
}) {
  const own = deps.publicUrl.origin;
  const surface = { route: '/mcp/{upstream}', answer: deps.answer, unknown };

  const find = (call: Call, principal: Principal): Destination | Promise<Destination> => {
    if (call.path === PREFIX) return findJoined(call, principal);
    const named = ENDPOINT.exec(call.path)?.[1] ?? '';
    const whole = serverOf(named);
    if (whole !== undefined && deps.may(principal, whole)) return to(call, principal, whole, null);
    const [, of = '', pair = null] = HTTP_SSE.exec(named) ?? [];
    const half = serverOf(of);
    // What is another's is not in the way of what is the caller's.
    if (half !== undefined && deps.may(principal, half)) return to(call, principal, half, pair as Pair);
    if (named === 'sse' || named === 'messages') return toJoined(call, principal, named);
    if (whole !== undefined) return to(call, principal, whole, null);
    if (half !== undefined) return to(call, principal, half, pair as Pair);
    throw unknown();
  };

  function serverOf(id: string): Upstream | undefined {
    const upstream = deps.upstreams.find(id);
    return upstream?.kind === 'mcp' ? upstream : undefined;
  }

  const to = (call: Call, principal: Principal, upstream: Upstream, pair: Pair): Destination => ({
    upstream,
    path: `${upstream.url.pathname}${call.query}`,
    via: way => deps.mcp.via({ call, principal, upstream, way, pair }),
  });

  const toJoined = (call: Call, principal: Principal, pair: Pair): Destination => ({
    ...to(call, principal, JOINED, pair),
    path: JOINED.url.pathname,
  });

  /** What is for one of the servers goes to that server, as if it had come to its own endpoint: by its rules, with its credential, in its name. */
  async function findJoined(call: Call, principal: Principal): Promise<Destination> {
    const target = call.req.method === 'POST' ? await deps.joined.targetOf(call, principal) : null;
    if (target === null) return toJoined(call, principal, null);
    const { upstream } = target;
    const own = { call: asOwnCall(call, target), principal, upstream, pair: null };
    return {
      upstream,
      path: `${upstream.url.pathname}${call.query}`,
      via: way => oneOfMany(call, target, deps.mcp.via({ ...own, way })),
    };
  }

  return {
    prefix: PREFIX,
    handle(call: Call): void {
      refuseOrigin(call, own);
      deps.forward.handle(call, principal => find(call, principal), surface);
    },
    refuse: deps.answer,
  };
}

type Pair = Visit['pair'];

const unknown = () =>
  new AppError('not_found', 'There is no such MCP server that you may use; the home page lists yours.');

/** Streamable HTTP, "Security & Endpoint" 1: whatever a browser shows there that is not this gateway's own origin. */
function refuseOrigin({ headers: { origin } }: Call, own: string): void {
  if (origin === undefined || origin === own) return;
  throw new AppError('csrf', `Another site asked for this. Browsers may ask from ${own} only.`);
}
