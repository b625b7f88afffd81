import type { Config } from './config/types.ts';
import type { CheckDeps } from './forward/check.ts';
import { createCheckProof } from './forward/check-proof.ts';
import { checkRoute, type ForwardRoute } from './forward/routes.ts';
import { createCrossSiteGuard } from './http/guards.ts';
import { createGuesses } from './http/guesses.ts';
import type { Identity } from './identity/identity.ts';
import { type AddressOf, lastHop } from './platform/client-address.ts';

/** `/auth/check`, which proxies ask: joined as the rest, but for where its callers come from and who vouches for that. */
export function joinCheck(
  deps: Pick<
    CheckDeps,
    'may' | 'upstreams' | 'vault' | 'publicUrl' | 'record' | 'answerProblem' | 'runtime'
  > & {
    config: Config;
    identity: Identity;
    addressOf: AddressOf;
  },
): ForwardRoute {
  const { config, identity, runtime, ...common } = deps;
  // A proxy that has proved itself is believed whom it asks for, named in trustedProxies or not.
  const addressOf = config.trustedProxies.length > 0 ? deps.addressOf : lastHop;
  return checkRoute({
    ...common,
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
