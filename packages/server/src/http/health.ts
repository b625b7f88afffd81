import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';

/** `/healthz`: the process answers. `/readyz`: it can do its work. */
export function healthRoutes(deps: { checkDatabase(): Promise<void> }): FastifyPluginAsyncZod {
  const ok = z.object({ status: z.literal('ok') });
  return async app => {
    app.get('/healthz', { config: { policy: 'public' }, schema: { response: { 200: ok } } }, async () => ({
      status: 'ok' as const,
    }));
    app.get('/readyz', { config: { policy: 'public' }, schema: { response: { 200: ok } } }, async () => {
      try {
        await deps.checkDatabase();
      } catch (cause) {
        throw new AppError('unavailable', 'The database does not answer.', {
          cause,
          headers: { 'retry-after': '5' },
        });
      }
      return { status: 'ok' as const };
    });
  };
}
