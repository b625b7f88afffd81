import { upstreamFailure } from './forward/upstream-failure.ts';
import { type BackHttpDeps, createBackHttp } from './mcp/back-http.ts';
import { modernCapabilities } from './mcp/capabilities.ts';
import { createEras } from './mcp/eras.ts';
import type { HeldBack, HeldListener } from './mcp/held-back.ts';
import { holdOnLegacy } from './mcp/held-on-legacy.ts';
import { holdOnModern } from './mcp/held-on-modern.ts';
import { declaredIn } from './mcp/held-session.ts';
import { createHeldSessions } from './mcp/held-sessions.ts';
import { openHttpLink } from './mcp/http-link.ts';
import { createJoined, type JoinedDeps } from './mcp/joined/joined.ts';
import { JOINED } from './mcp/joined/joined-upstream.ts';
import type { Request } from './mcp/json-rpc.ts';
import { createLegacyPool, type Isolation } from './mcp/legacy-pool.ts';
import { openLinesLink } from './mcp/lines-link.ts';
import { createMcp, type McpDeps, type Visit } from './mcp/mcp.ts';
import { createModernLines } from './mcp/modern-lines.ts';
import { createModernOnLegacy } from './mcp/modern-on-legacy.ts';
import { createPassedStates } from './mcp/passed-state.ts';
import { createRequestStates } from './mcp/request-state.ts';
import { mcpRoutes } from './mcp/routes.ts';
import { createSessionIds } from './mcp/session-id.ts';
import { withoutTasks } from './mcp/tasks.ts';
import { createToolCalls } from './mcp/tool-calls.ts';
import type { Bus } from './platform/bus.ts';
import type { AppError } from './platform/errors.ts';
import { every } from './platform/every.ts';
import type { Logger } from './platform/log.ts';
import type { Runtime } from './platform/runtime.ts';
import type { Audit } from './terms/audit.ts';
import type { Call, Forward } from './terms/journey.ts';
import type { LineWanted, MessageLine, MessageLineEvents } from './terms/message-line.ts';
import type { Sealer } from './terms/sealer.ts';
import type { Upstream } from './terms/upstream.ts';

export interface JoinMcpDeps
  extends Omit<BackHttpDeps, 'failureOf'>,
    Pick<McpDeps, 'addressOf'>,
    Pick<JoinedDeps, 'may' | 'failing'> {
  forward: Forward;
  /** Servers behind tunnels that speak in lines. */
  tunnels: {
    linesOf(upstream: Upstream): { readonly isolate: Isolation; readonly probes: boolean } | null;
    openLines(upstream: Upstream, wanted: LineWanted, events: MessageLineEvents): MessageLine;
  };
  log: Logger;
  destinations: { find(id: string): Upstream | undefined; list(): readonly Upstream[] };
  sealer: Sealer;
  audit: Audit;
  bus: Pick<Bus, 'subscribe'>;
  runtime: Runtime;
  publicUrl: URL;
  /** Renders an error as a response of JSON-RPC. */
  answerRpc(call: Call, error: AppError): void;
}

/** How often sessions that nobody uses are looked for, milliseconds. */
const SWEEP = 60_000;

/** The MCP endpoint, all of it: what serves `/mcp/…`. */
export function joinMcp(deps: JoinMcpDeps) {
  const { runtime, tunnels } = deps;
  const isolationOf = (upstream: Upstream) => tunnels.linesOf(upstream)?.isolate ?? null;
  const inLines = (upstream: Upstream) => tunnels.linesOf(upstream) !== null;
  const modernLines = createModernLines({ ...deps, open: tunnels.openLines, isolationOf });
  /** @param own of a session that wants a program for itself */
  const backFor = (own?: string) =>
    createBackHttp({
      ...deps,
      failureOf: upstreamFailure,
      transportTo: (to, who) => (inLines(to) ? modernLines.way(who, to, own) : deps.transportTo(to, who)),
    });
  const back = backFor();
  const pool = createLegacyPool({
    ...deps,
    isolationOf,
    isModern: (who, to) => eras.modern(who, to),
    open: (who, to, instance, listener) =>
      inLines(to)
        ? openLinesLink(events => tunnels.openLines(to, { instance }, events), listener)
        : openHttpLink({ back, runtime, who, to }, listener),
  });
  const sessionIds = createSessionIds(deps);
  const eras = createEras({
    ...deps,
    back,
    inLines,
    probeLine: (to, events) =>
      tunnels.linesOf(to)?.probes === true
        ? tunnels.openLines(to, { instance: 'probe', probe: true }, events)
        : null,
  });

  async function hold(
    { principal: who, upstream: to }: Pick<Visit, 'principal' | 'upstream'>,
    request: Request,
    id: string,
    listener: HeldListener,
    tasks = isolationOf(to) !== 'shared',
  ): Promise<HeldBack> {
    // A client's own tasks would be asked for when no call is under way.
    const declared = withoutTasks(declaredIn(request));
    if ((await eras.of(who, to)).modern) {
      const { clientInfo } = request.params ?? {};
      const own = isolationOf(to) === 'session';
      const held = await holdOnModern(
        {
          back: own ? backFor(id) : back,
          who,
          to,
          capabilities: modernCapabilities(declared),
          clientInfo,
          runtime,
        },
        listener,
      );
      if (!own) return held;
      const close = () => {
        held.close();
        modernLines.end(id);
      };
      return { ...held, close };
    }
    const session = await pool.session(who, to, declared, id);
    return holdOnLegacy(session, who.userId, listener, tasks, () => {
      if (isolationOf(to) === 'session') session.close();
    });
  }

  const toolCalls = createToolCalls(deps);
  const joined = createJoined({
    ...deps,
    upstreams: deps.destinations,
    eras,
    back,
    pool,
    toolCalls,
    hold: (...begun) => hold(...begun, false),
  });
  const held = createHeldSessions({
    ...deps,
    sessionIds,
    hasOwn: upstream => isolationOf(upstream) === 'session',
    hold: (visit, ...rest) => (visit.upstream === JOINED ? joined.hold : hold)(visit, ...rest),
  });
  const states = createRequestStates(deps);
  const mcp = createMcp({
    modernOnLegacy: createModernOnLegacy({ pool, states, runtime }),
    passedStates: createPassedStates(deps),
    eras,
    sessionIds,
    held,
    joined,
    toolCalls,
    runtime,
    addressOf: deps.addressOf,
    wayTo: ({ principal, upstream, way }) => (inLines(upstream) ? modernLines.way(principal, upstream) : way),
  });
  const sweep = async () => {
    pool.sweep();
    held.sweep();
    modernLines.sweep();
  };
  const sweeping = every(SWEEP, 'ending MCP sessions that nobody uses', sweep, deps);
  return {
    route: mcpRoutes({ ...deps, upstreams: deps.destinations, mcp, joined, answer: deps.answerRpc }),
    async [Symbol.asyncDispose]() {
      await sweeping[Symbol.asyncDispose]();
      await pool[Symbol.asyncDispose]();
      await modernLines[Symbol.asyncDispose]();
    },
  };
}
