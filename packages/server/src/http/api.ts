import type { IncomingHttpHeaders } from 'node:http';
import formbody from '@fastify/formbody';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import {
  type FastifyPluginAsyncZod,
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import type { AddressOf } from '../platform/client-address.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { servedRequest } from '../platform/on-behalf-of.ts';
import { ready } from '../platform/ready.ts';
import type { Principal } from '../terms/principal.ts';
import { logFailure, problem } from './answers.ts';
import { awaitsContinue, proceed } from './continue.ts';
import { setPageHeaders } from './guards.ts';
import { type DocumentDeps, registerDocument } from './openapi.ts';
import type { Policy, Rated } from './policy.ts';
import type { Throttle } from './throttle.ts';

/** A request body of the API is a form or a small JSON object. */
const BODY_LIMIT = 256 * 1024;
/** From a request's head to the head of its answer; the slowest wait is for a provider's token endpoint, 20 s. Milliseconds. */
const TIMEOUT = 60_000;

export interface ApiDeps {
  /** With the cross-site guard behind it. */
  authenticate(request: Parameters<FastifyInstance['routing']>[0]): Principal | Promise<Principal>;
  /** Without being anybody. */
  mayReadMetrics(headers: IncomingHttpHeaders): boolean;
  /** Where a request comes from: what `request.ip` says. */
  addressOf: AddressOf;
  throttle: Throttle;
  log: Logger;
  /** Where nobody has named the request yet. */
  requestId(headers: FastifyRequest['headers']): string;
  /** What its document says of the gateway; none, and there is no document. */
  document?: DocumentDeps;
  /** Milliseconds until an answer must have begun. */
  timeout?: number;
  plugins: readonly (FastifyPluginAsync | FastifyPluginAsyncZod)[];
}

/**
 * Everything that is not the data plane: the API, from schemas, and the pages. Who may call a route is written at the route; one that says
 * nothing does not build (rule 8).
 */
export async function createApi(deps: ApiDeps): Promise<FastifyInstance> {
  const api = fastify({
    loggerInstance: deps.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    handlerTimeout: deps.timeout ?? TIMEOUT,
    genReqId: request => servedRequest() ?? deps.requestId(request.headers),
    requestIdHeader: false,
    trustProxy: false,
    // A path that the router itself cannot read.
    frameworkErrors: (error, request, reply) => {
      dress(request, reply);
      answerError(error, request, reply);
    },
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 200 },
  });
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  api.decorateRequest('principal', null as unknown as Principal);

  api.addHook('onRoute', route => {
    if (route.config?.policy === undefined)
      throw new Error(`route ${route.method} ${route.url} has no policy`);
  });
  api.addHook('onRequest', async (request, reply) => {
    dress(request, reply);
    // Not by Fastify's trustProxy, which would believe X-Forwarded-Host and -Proto as well.
    const ip = deps.addressOf({ headers: request.headers, remoteAddress: request.raw.socket.remoteAddress });
    Object.defineProperty(request, 'ip', { value: ip });
    const { policy, rate } = request.routeOptions.config;
    if (rate !== undefined) deps.throttle.byAddress(rate, ip);
    await admit(policy, rate, request);
  });
  api.addHook('preParsing', async request => proceed(request.raw));
  api.addHook('onSend', async (request, reply) => {
    if (awaitsContinue(request.raw)) reply.header('connection', 'close');
  });

  async function admit(
    policy: Policy | undefined,
    rate: Rated | undefined,
    request: { raw: Parameters<ApiDeps['authenticate']>[0]; principal: Principal },
  ): Promise<void> {
    // Fastify's own 404 has no route, so no policy, and tells nothing.
    if (policy === undefined || policy === 'public') return;
    if (policy === 'metrics' && deps.mayReadMetrics(request.raw.headers)) return;
    request.principal = await ready(deps.authenticate(request.raw), principal => principal);
    if (request.principal.proof === 'anonymous') {
      throw new AppError('unauthenticated', 'This needs somebody who is signed in.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    if (policy !== 'signed-in' && !request.principal.admin)
      throw new AppError('forbidden', 'Only admins may do this.');
    if (rate !== undefined) deps.throttle.byPrincipal(rate, request.principal);
  }

  api.setNotFoundHandler(() => {
    throw new AppError('not_found', 'There is nothing at this path.');
  });
  api.setErrorHandler(answerError);

  if (deps.document !== undefined) await registerDocument(api, deps.document);
  await api.register(formbody, { bodyLimit: BODY_LIMIT });
  for (const plugin of deps.plugins) await api.register(plugin as FastifyPluginAsync);
  await api.ready();
  return api;
}

/** What every answer wears; written to the raw response, so that no plugin's own headers undo it. */
function dress(request: FastifyRequest, reply: FastifyReply): void {
  setPageHeaders(reply.raw);
  reply.raw.setHeader('x-request-id', request.id);
  reply.raw.setHeader('cache-control', 'no-store');
}

function answerError(thrown: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const error = translated(thrown);
  logFailure(request.log, request.id, error);
  reply
    .code(error.status)
    .headers(error.headers)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem(error));
}

/** Fastify's own refusals (a body too large, no JSON, a schema that does not fit) as ours. */
function translated(error: FastifyError): AppError {
  if (error instanceof AppError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const said = error.validation.map(
      issue =>
        `${issue.instancePath.slice(1).replaceAll('/', '.') || error.validationContext}: ${issue.message}`,
    );
    return new AppError('bad_request', said.join('; '));
  }
  if (error.code === 'FST_ERR_HANDLER_TIMEOUT') {
    return new AppError('unavailable', 'This took too long; try again in a moment.', {
      cause: error,
      headers: { 'retry-after': '10' },
    });
  }
  if (error.statusCode === 413)
    return new AppError('body_too_large', `The body is larger than ${BODY_LIMIT / 1024} KiB.`);
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new AppError(
      'bad_request',
      'The request cannot be read: its body or content-type is not what this path takes.',
    );
  return asAppError(error);
}
