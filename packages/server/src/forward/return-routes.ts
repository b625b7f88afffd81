import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { isOurHost, RETURN } from './check-return.ts';

/**
 * `/auth/return?to=…`: the last step of a sign-in that began at another port of this host, behind a proxy that asks `/auth/check`.
 * Leads to this host alone (RFC 9700 section 4.11: no open redirector).
 */
export function returnRoutes(deps: { publicUrl: URL }): FastifyPluginAsyncZod {
  return async app => {
    app.get(
      RETURN,
      {
        config: { policy: 'public' },
        schema: { querystring: z.object({ to: z.string().max(2_048) }) },
      },
      async (request, reply) => {
        const to = URL.parse(request.query.to);
        if (to === null || !isOurHost(to, deps.publicUrl))
          throw new AppError('bad_request', 'to: an address on the host of this gateway is wanted.');
        return reply.redirect(to.href, 303);
      },
    );
  };
}
