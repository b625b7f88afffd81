import type { AppError } from '../platform/errors.ts';
import type { Call, Destination, Forward } from '../terms/journey.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { PREFIXES } from './target.ts';

/** A terminal server as its users see it. */
interface Listed {
  readonly id: string;
  readonly name: string;
  /** Whether it runs on the gateway's own machine. */
  readonly embedded: boolean;
  readonly recording: boolean;
  /** Whether it works for this person: `ready`, `connect`, `failing`, `denied`. */
  readonly state: string;
}

/** `/terminals/{upstream}/…`, and the path under which Open WebUI's front end looks for the same. */
export function terminalRoutes(deps: {
  forward: Forward;
  proxy(call: Call, path: string, principal: Principal): Promise<Destination>;
  checkedPath(path: string): string;
  upstreams: { list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
  stateOf(principal: Principal, upstream: Upstream): Promise<{ readonly state: string }>;
  answer(call: Call, error: AppError): void;
  answerJson(
    call: Call,
    make: () => Promise<{ body: unknown }>,
    error: (call: Call, error: AppError) => void,
  ): void;
}) {
  const { forward, answer } = deps;

  async function listFor(call: Call): Promise<Listed[]> {
    const principal = await forward.authenticate(call);
    const usable = deps.upstreams
      .list()
      .filter(upstream => upstream.kind === 'terminal' && deps.may(principal, upstream));
    return Promise.all(
      usable.map(async upstream => ({
        id: upstream.id,
        name: upstream.name,
        embedded: upstream.terminal?.embedded ?? false,
        recording: upstream.terminal?.record ?? false,
        state: (await deps.stateOf(principal, upstream)).state,
      })),
    );
  }

  return PREFIXES.map(prefix => ({
    prefix,
    handle(call: Call): void {
      const { method } = call.req;
      if ((call.path === prefix || call.path === `${prefix}/`) && (method === 'GET' || method === 'HEAD')) {
        // Open WebUI's front end wants the list itself.
        const shaped = async () => {
          const terminals = await listFor(call);
          return { body: prefix === '/terminals' ? { terminals } : terminals };
        };
        deps.answerJson(call, shaped, answer);
      } else {
        const surface = { route: `${prefix}/{upstream}/*`, answer };
        forward.handle(
          call,
          async principal => deps.proxy(call, deps.checkedPath(call.path), principal),
          surface,
        );
      }
    },
    refuse: answer,
  }));
}
