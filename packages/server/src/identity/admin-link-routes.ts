import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { AdminLinks } from './admin-link.ts';
import { refusedPage } from './sign-in-pages.ts';
import { depart, visitorOf } from './sign-in-routes.ts';

/** `GET /auth/first-admin?token=…`, as printed by the first start. */
export function adminLinkRoutes(deps: { adminLinks: Pick<AdminLinks, 'use'> }): FastifyPluginAsyncZod {
  return async app => {
    app.get(
      '/auth/first-admin',
      {
        config: { policy: 'public', rate: 'sign-in' },
        // HEAD, as link checkers send it, must not use the link up.
        exposeHeadRoute: false,
        schema: { querystring: z.object({ token: z.string() }) },
      },
      async (request, reply) => {
        reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
        try {
          return depart(reply, await deps.adminLinks.use(request.query.token, visitorOf(request)));
        } catch (error) {
          const forPerson = error instanceof AppError && request.headers.accept?.includes('text/html');
          if (!forPerson) throw error;
          return reply.code(error.status).type('text/html; charset=utf-8').send(refusedPage(error));
        }
      },
    );
  };
}
