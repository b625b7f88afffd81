import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Metrics } from '../platform/metrics.ts';
import type { Secret } from '../platform/secret.ts';

/** `/metrics` for Prometheus. */
export function metricsRoutes(deps: { metrics: Metrics }): FastifyPluginAsyncZod {
  return async app => {
    app.get('/metrics', { config: { policy: 'metrics' } }, async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await deps.metrics.expose()),
    );
  };
}

/** Whether a request shows one of the tokens that open `/metrics` and nothing else: what watches a gateway need not be able to rule it. */
export function createMetricsProof(tokens: readonly Secret[]): (headers: IncomingHttpHeaders) => boolean {
  const expected = tokens.map(token => Buffer.from(`Bearer ${token.reveal()}`, 'latin1'));
  return ({ authorization }) => {
    if (authorization === undefined) return false;
    const shown = Buffer.from(authorization, 'latin1');
    return expected.some(token => token.length === shown.length && timingSafeEqual(token, shown));
  };
}
