import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Sessions } from './sessions.ts';
import { homePage } from './sign-in-pages.ts';

/** `GET /`: where a sign-in ends. Without a session it leads to the sign-in page. */
export function homeRoutes(deps: {
  sessions: Pick<Sessions, 'lookup'>;
  upstreams: { list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
  publicUrl: URL;
}): FastifyPluginAsyncZod {
  const { sessions, upstreams, may, publicUrl } = deps;

  return async app => {
    app.get('/', { config: { policy: 'public' }, schema: { hide: true } }, async (request, reply) => {
      const principal = await sessions.lookup(request.headers.cookie ?? '');
      if (!principal) return reply.redirect('/auth/login', 303);
      const usable = upstreams
        .list()
        .filter(upstream => may(principal, upstream))
        .map(({ id, name }) => ({ name, url: `${publicUrl.origin}/u/${id}/` }));
      const who = principal.name ?? principal.email ?? principal.userId;
      return reply.type('text/html; charset=utf-8').send(homePage(who, usable));
    });
  };
}
