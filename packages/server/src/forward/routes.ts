import type { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import { type CheckDeps, createCheck } from './check.ts';
import { CHECK } from './checked-request.ts';
import type { Forward } from './forward.ts';
import { listModels, type ModelListDeps } from './model-list.ts';
import { findNamed } from './named.ts';
import { findByModel, usableModels } from './openai.ts';
import { createOwnAnswers, type OwnAnswersDeps } from './own-answers.ts';
import { whoami } from './whoami.ts';

/** Answers one call, whatever becomes of it. */
export type CallHandler = (call: Call) => void;

export interface ForwardRoute {
  readonly prefix: string;
  readonly handle: CallHandler;
  readonly refuse: (call: Call, error: AppError) => void;
  /** Whether it proves its caller itself, by whatever name that one knows us. */
  readonly anyHost?: boolean;
}

/** `/auth/check`, which is asked as often as anything is forwarded. */
export const checkRoute = (deps: CheckDeps): ForwardRoute => ({
  prefix: CHECK,
  handle: createCheck(deps),
  refuse: deps.answerProblem,
  anyHost: true,
});

/** The data plane's prefixes and who answers them; the longest one that fits is taken. */
export function forwardRoutes(
  deps: ModelListDeps &
    Omit<OwnAnswersDeps, 'authenticate'> & {
      forward: Forward;
      upstreams: { find(id: string): Upstream | undefined; list(): readonly Upstream[] };
      /** Those that `/u` reaches: with them, tunnels. */
      named: { find(id: string, asker: Principal): Upstream | undefined };
      may(principal: Principal, upstream: Upstream): boolean;
      /** Renders an error as problem details (RFC 9457), and in the OpenAI shape. */
      answerProblem(call: Call, error: AppError): void;
      answerOpenai(call: Call, error: AppError): void;
    },
): ForwardRoute[] {
  const { forward } = deps;
  const byModel = { route: '/v1/*', answer: deps.answerOpenai };
  const named = { route: '/u/{upstream}/*', answer: deps.answerProblem };

  const answerOwn = createOwnAnswers({ ...deps, authenticate: forward.authenticate });

  const models = (call: Call) => async (principal: Principal) => {
    const { models, missing } = await listModels(call, principal, usableModels(principal, deps), deps);
    const headers: Record<string, string> =
      missing.length > 0 ? { 'x-sallyport-incomplete': missing.join(', ') } : {};
    return { body: { object: 'list', data: models }, headers };
  };

  const openai: CallHandler = call => {
    if (call.path === '/v1/models' && (call.req.method === 'GET' || call.req.method === 'HEAD'))
      answerOwn(call, models(call), deps.answerOpenai);
    else forward.handle(call, principal => findByModel(call, principal, deps), byModel);
  };

  return [
    { prefix: '/v1', handle: openai, refuse: deps.answerOpenai },
    {
      prefix: '/u/whoami',
      handle: call =>
        answerOwn(
          call,
          async principal => ({ body: await whoami(call, principal, deps) }),
          deps.answerProblem,
        ),
      refuse: deps.answerProblem,
    },
    {
      prefix: '/u',
      handle: call => forward.handle(call, principal => findNamed(call, principal, deps.named), named),
      refuse: deps.answerProblem,
    },
  ];
}
