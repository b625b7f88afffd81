import type { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Call } from './call.ts';
import type { Outcome } from './outcome.ts';

export interface OwnAnswersDeps {
  authenticate(call: Call): Principal | Promise<Principal>;
  /** Answers with JSON from a handler, errors included. */
  answerJson(call: Call, make: () => Promise<OwnAnswer>, error: (call: Call, error: AppError) => void): void;
  addressOf(call: Call): string;
  /** Called once for each call, when it has ended. */
  record(outcome: Outcome): void;
  runtime: Pick<Runtime, 'monotonic'>;
}

/** What is written as JSON. */
export interface OwnAnswer {
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

/** Answers calls that have no upstream of their own, such as the list of models: authenticate → make → answer → record. */
export function createOwnAnswers(deps: OwnAnswersDeps) {
  return (
    call: Call,
    make: (principal: Principal) => Promise<OwnAnswer>,
    answerError: (call: Call, error: AppError) => void,
  ): void => {
    let principal: Principal | null = null;
    const finish = (result: Outcome['result'], status: number) =>
      deps.record({
        principal,
        upstream: null,
        credential: null,
        result,
        status,
        method: call.req.method!,
        requestId: call.requestId,
        traceId: null,
        address: deps.addressOf(call),
        took: deps.runtime.monotonic() - call.startedAt,
      });

    deps.answerJson(
      call,
      async () => {
        principal = await deps.authenticate(call);
        const answer = await make(principal);
        if (call.res.destroyed) finish('abandoned', 0);
        else finish('ok', 200);
        return answer;
      },
      (_call, error) => {
        answerError(call, error);
        finish(error.code.startsWith('upstream_') ? 'upstream_error' : 'refused', error.status);
      },
    );
  };
}
