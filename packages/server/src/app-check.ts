import type { Config } from './config/types.ts';
import { CHECKS, createCallMetrics } from './forward/call-metrics.ts';
import type { CheckDeps } from './forward/check.ts';
import { createCheckProof } from './forward/check-proof.ts';
import { checkRoute, type ForwardRoute } from './forward/routes.ts';
import { createCrossSiteGuard } from './http/guards.ts';
import { createGuesses } from './http/guesses.ts';
import type { Identity } from './identity/identity.ts';
import { type AddressOf, lastHop } from './platform/client-address.ts';
import type { Metrics } from './platform/metrics.ts';

/** `/auth/check`, which proxies ask: joined as the rest, but for where its callers come from and who vouches for that. */
export function joinCheck(
  deps: Pick<
    CheckDeps,
    'may' | 'upstreams' | 'vault' | 'publicUrl' | 'record' | 'answerProblem' | 'runtime'
  > & {
    config: Config;
    metrics: Metrics;
    identity: Identity;
    addressOf: AddressOf;
  },
): ForwardRoute {
  const { config, identity, runtime, metrics, ...common } = deps;
  const callMetrics = createCallMetrics(metrics, CHECKS);
  // A proxy that has proved itself is believed whom it asks for, named in trustedProxies or not.
  const addressOf = config.trustedProxies.length > 0 ? deps.addressOf : lastHop;
  return checkRoute({
    ...common,
    record(outcome) {
      callMetrics.record(outcome);
      deps.record(outcome);
    },
    runtime,
    proof: createCheckProof(config.auth.forward),
    identity: {
      authenticate: createGuesses({
        authenticate: identity.authenticate,
        rate: config.rates.proof.address,
        addressOf,
        now: () => runtime.monotonic(),
      }),
    },
    addressOf,
    guard: (principal, request, origin) => createCrossSiteGuard(origin)(principal, request),
  });
}
