import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call, Destination, Forward } from './call.ts';
import type { Mcp } from './mcp.ts';

const PREFIX = '/mcp';
/** `/mcp/{upstream}`; a tunnel's id is `{user}/{name}`. */
const ENDPOINT = /^\/mcp\/([A-Za-z0-9][A-Za-z0-9._@-]{0,99}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,2})$/;
/** The two endpoints of the transport of 2024-11-05, which old clients still speak. */
const HTTP_SSE = /^(.+)\/(sse|messages)$/;

/** `/mcp/{upstream}`: any MCP client, to any MCP server. */
export function mcpRoutes(deps: {
  mcp: Mcp;
  forward: Forward;
  upstreams: { find(id: string): Upstream | undefined };
  publicUrl: URL;
  answer(call: Call, error: AppError): void;
}) {
  const surface = { route: '/mcp/{upstream}', answer: deps.answer };

  const find = (call: Call, principal: Principal): Destination => {
    const named = ENDPOINT.exec(call.path)?.[1] ?? '';
    const old = HTTP_SSE.exec(named);
    const upstream = deps.upstreams.find(named) ?? deps.upstreams.find(old?.[1] ?? '');
    if (upstream?.kind !== 'mcp')
      throw new AppError('not_found', 'There is no such MCP server here; the home page lists yours.');
    const pair = upstream.id === named ? null : (old![2] as 'sse' | 'messages');
    return {
      upstream,
      path: `${upstream.url.pathname}${call.query}`,
      via: way => deps.mcp.via({ call, principal, upstream, way, pair }),
    };
  };

  return {
    prefix: PREFIX,
    handle(call: Call): void {
      refuseOrigin(call, deps.publicUrl);
      deps.forward.handle(call, principal => find(call, principal), surface);
    },
    refuse: deps.answer,
  };
}

/** Streamable HTTP, "Security & Endpoint" 1: whatever a browser shows there that is not this gateway's own origin. */
function refuseOrigin({ headers: { origin } }: Call, publicUrl: URL): void {
  if (origin === undefined || origin === publicUrl.origin) return;
  throw new AppError('csrf', `Another site asked for this. Browsers may ask from ${publicUrl.origin} only.`);
}
