import formbody from '@fastify/formbody';
import type { FastifyError } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { Logout } from './logout.ts';
import { depart } from './sign-in-routes.ts';

/** A logout token holds a handful of claims. */
const MAX_TOKEN = 64 * 1024;

/**
 * `POST /auth/logout` for people, `POST /auth/{provider}/backchannel-logout` for providers. The latter comes from a server: no
 * cookie, no Origin.
 */
export function logoutRoutes(deps: { logout: Logout }): FastifyPluginAsyncZod {
  const { logout } = deps;

  return async app => {
    if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody);

    app.post('/auth/logout', { config: { policy: 'signed-in' } }, async (request, reply) => {
      const departure = await logout.signOut(request.principal, request.ip);
      reply.header('cache-control', 'no-store');
      // A script cannot follow a redirect to another origin: it is told where to send the person.
      if (!request.headers.accept?.includes('application/json')) return depart(reply, departure);
      return reply.header('set-cookie', [...departure.setCookies]).send({ redirect: departure.location });
    });

    app.post(
      '/auth/:provider/backchannel-logout',
      {
        config: { policy: 'public' },
        bodyLimit: MAX_TOKEN,
        schema: {
          params: z.object({ provider: z.string().min(1).max(100) }),
          body: z.looseObject({ logout_token: z.string() }),
        },
        errorHandler: (error, _request, reply) => {
          const said = refusalOnWire(error);
          if (said === null) throw error;
          return reply.code(said.status).header('cache-control', 'no-store').send(said.body);
        },
      },
      async (request, reply) => {
        await logout.byProvider(request.params.provider, request.body.logout_token, request.ip);
        return reply.header('cache-control', 'no-store').code(200).send();
      },
    );
  };
}

/** OIDC Back-Channel Logout 1.0 section 2.8: 400 with an OAuth error for whatever is wrong with the request; null for what is wrong with us. */
function refusalOnWire(error: FastifyError | AppError) {
  if (error instanceof AppError) {
    // A gateway that cannot look is no fault of the request: the provider is to try again.
    if (error.code === 'unavailable') return null;
    const status = error.code === 'provider_failed' ? error.status : 400;
    return { status, body: { error: 'invalid_request', error_description: error.message } };
  }
  if (error.validation === undefined && (error.statusCode ?? 500) >= 500) return null;
  return {
    status: 400,
    body: { error: 'invalid_request', error_description: 'A form with a logout_token is wanted.' },
  };
}
