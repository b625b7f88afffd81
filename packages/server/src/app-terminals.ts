import type { Call } from './forward/call.ts';
import type { Forward } from './forward/forward.ts';
import { checkedPath } from './forward/path.ts';
import type { ForwardRoute } from './forward/routes.ts';
import type { Answers } from './http/answers.ts';
import type { UpgradeRoute } from './http/upgrades.ts';
import { type Credentials, credentialsWith } from './identity/credentials.ts';
import type { Bus } from './platform/bus.ts';
import type { Db } from './platform/db/db.ts';
import type { AppError } from './platform/errors.ts';
import type { Metrics } from './platform/metrics.ts';
import { createServant, type DialDeps } from './terminals/dial.ts';
import { createProxy } from './terminals/proxy.ts';
import { terminalRoutes } from './terminals/routes.ts';
import { PREFIXES } from './terminals/target.ts';
import { createTerminalStore } from './terminals/terminal-store.ts';
import { createTerminals, type Terminals, type TerminalsDeps } from './terminals/terminals.ts';
import type { Principal } from './terms/principal.ts';
import { createReadiness } from './upstreams/readiness.ts';

type Readiness = Parameters<typeof createReadiness>[0];

export interface JoinTerminalsDeps
  extends Omit<
      TerminalsDeps,
      'identity' | 'servant' | 'store' | 'upstreams' | 'checkedPath' | 'open' | 'changed'
    >,
    Omit<DialDeps, 'now'> {
  db: Db;
  bus: Bus;
  forward: Forward;
  authenticate(credentials: Credentials): Principal | Promise<Principal>;
  /** Upstreams and tunnels. */
  destinations: TerminalsDeps['upstreams'];
  failing: Readiness['failing'];
  metrics: Metrics;
  answerProblem(call: Call, error: AppError): void;
  answerJson: Answers['json'];
}

/** Terminals, all of it: what serves `/terminals/…`, over HTTP and WebSocket. */
export interface JoinedTerminals extends AsyncDisposable {
  readonly routes: readonly ForwardRoute[];
  readonly upgrades: readonly UpgradeRoute[];
  start: Terminals['start'];
}

export function joinTerminals(deps: JoinTerminalsDeps): JoinedTerminals {
  const { runtime, destinations: upstreams } = deps;
  const store = createTerminalStore(deps.db);
  const changed = (userId: string) => deps.bus.publish({ topic: 'terminals-changed', userId });
  const terminals = createTerminals({
    ...deps,
    upstreams,
    store,
    changed,
    checkedPath,
    servant: createServant({ ...deps, now: () => runtime.monotonic() }),
    identity: { authenticate: (request, bearer) => deps.authenticate(credentialsWith(request, bearer)) },
    open: deps.metrics.gauge('sallyport_terminals', 'Windows that show a terminal.'),
  });
  const { attached, start, upgrade } = terminals;
  return {
    routes: terminalRoutes({
      ...deps,
      proxy: createProxy({ upstreams, store, attached, changed }),
      checkedPath,
      upstreams,
      stateOf: createReadiness(deps),
      answer: deps.answerProblem,
    }),
    upgrades: PREFIXES.map(prefix => ({ prefix, upgrade })),
    start,
    [Symbol.asyncDispose]: () => terminals[Symbol.asyncDispose](),
  };
}
