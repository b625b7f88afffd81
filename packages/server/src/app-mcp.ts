import { type BackHttpDeps, createBackHttp } from './mcp/back-http.ts';
import type { Call, Forward } from './mcp/call.ts';
import { modernCapabilities } from './mcp/capabilities.ts';
import { createEras } from './mcp/eras.ts';
import { holdOnModern } from './mcp/held-on-modern.ts';
import { declaredIn } from './mcp/held-session.ts';
import { createHeldSessions } from './mcp/held-sessions.ts';
import { openHttpLink } from './mcp/http-link.ts';
import { createLegacyPool } from './mcp/legacy-pool.ts';
import { createMcp, type McpDeps } from './mcp/mcp.ts';
import { createModernOnLegacy } from './mcp/modern-on-legacy.ts';
import { createRequestStates } from './mcp/request-state.ts';
import { mcpRoutes } from './mcp/routes.ts';
import { createSessionIds } from './mcp/session-id.ts';
import { createToolCalls } from './mcp/tool-calls.ts';
import type { Bus } from './platform/bus.ts';
import type { AppError } from './platform/errors.ts';
import type { Runtime } from './platform/runtime.ts';
import type { Audit } from './terms/audit.ts';
import type { Sealer } from './terms/sealer.ts';
import type { Upstream } from './terms/upstream.ts';

export interface JoinMcpDeps extends BackHttpDeps, Pick<McpDeps, 'addressOf'> {
  forward: Forward;
  upstreams: { find(id: string): Upstream | undefined };
  sealer: Sealer;
  audit: Audit;
  bus: Pick<Bus, 'subscribe'>;
  runtime: Runtime;
  publicUrl: URL;
  /** Renders an error as a response of JSON-RPC. */
  answerRpc(call: Call, error: AppError): void;
}

/** The MCP endpoint, all of it: what serves `/mcp/…`. */
export function joinMcp(deps: JoinMcpDeps) {
  const { runtime } = deps;
  const back = createBackHttp(deps);
  const pool = createLegacyPool({
    ...deps,
    open: (who, to, listener) => openHttpLink({ back, runtime, who, to }, listener),
  });
  const sessionIds = createSessionIds(deps);
  const held = createHeldSessions({
    ...deps,
    sessionIds,
    hold: ({ principal, upstream }, request, _id, listener) =>
      holdOnModern(
        {
          back,
          who: principal,
          to: upstream,
          capabilities: modernCapabilities(declaredIn(request)),
          clientInfo: request.params?.['clientInfo'],
        },
        listener,
      ),
  });
  const states = createRequestStates(deps);
  const mcp = createMcp({
    modernOnLegacy: createModernOnLegacy({ pool, states, runtime }),
    eras: createEras({ ...deps, back }),
    sessionIds,
    held,
    toolCalls: createToolCalls(deps),
    addressOf: deps.addressOf,
  });
  return mcpRoutes({ ...deps, mcp, answer: deps.answerRpc });
}
