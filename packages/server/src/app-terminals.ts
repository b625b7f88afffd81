import type { Call } from './forward/call.ts';
import type { Forward } from './forward/forward.ts';
import { checkedPath } from './forward/path.ts';
import type { ForwardRoute } from './forward/routes.ts';
import type { Answers } from './http/answers.ts';
import type { Db } from './platform/db/db.ts';
import type { AppError } from './platform/errors.ts';
import { createProxy } from './terminals/proxy.ts';
import { terminalRoutes } from './terminals/routes.ts';
import { createTerminalStore } from './terminals/terminal-store.ts';
import type { Principal } from './terms/principal.ts';
import type { Upstream } from './terms/upstream.ts';
import { createReadiness } from './upstreams/readiness.ts';

export interface JoinTerminalsDeps extends Omit<Parameters<typeof createReadiness>[0], 'failing'> {
  db: Db;
  forward: Forward;
  /** Upstreams and tunnels. */
  destinations: { find(id: string): Upstream | undefined; list(): readonly Upstream[] };
  failing: Parameters<typeof createReadiness>[0]['failing'];
  may(principal: Principal, upstream: Upstream): boolean;
  answerProblem(call: Call, error: AppError): void;
  answerJson: Answers['json'];
}

/** Terminals: what serves `/terminals/…`. */
export function joinTerminals(deps: JoinTerminalsDeps): { routes: ForwardRoute[] } {
  const { destinations } = deps;
  const store = createTerminalStore(deps.db);
  const attached = { has: () => false, end: () => {} };
  const proxy = createProxy({ upstreams: destinations, store, attached });
  return {
    routes: terminalRoutes({
      ...deps,
      proxy,
      checkedPath,
      upstreams: destinations,
      stateOf: createReadiness(deps),
      answer: deps.answerProblem,
    }),
  };
}
