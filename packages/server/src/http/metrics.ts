import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Metrics } from '../platform/metrics.ts';

/** `/metrics` for Prometheus, which shows an admin's key as its bearer token. */
export function metricsRoutes(deps: { metrics: Metrics }): FastifyPluginAsyncZod {
  return async app => {
    app.get('/metrics', { config: { policy: 'admin' } }, async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await deps.metrics.expose()),
    );
  };
}
