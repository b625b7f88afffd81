import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { Finding } from './checks.ts';

const checkBody = z.object({
  name: z.string(),
  ok: z.boolean(),
  said: z.string(),
  do: z.string().nullable().describe('What to do where it is not well'),
});

/** `/healthz`: the process answers. `/readyz`: it can do its work. */
export function healthRoutes(deps: {
  checkDatabase(): Promise<void>;
  /** Migrations that this program needs and the database does not have. */
  missingMigrations(): Promise<readonly string[]>;
  /** How many records are sealed under a key that is not in the ring. */
  unreadable(): Promise<number>;
}): FastifyPluginAsyncZod {
  const ok = z.object({ status: z.literal('ok') });
  const open = { config: { policy: 'public' } } as const;

  /** @throws AppError `unavailable` with what is not ready, and nothing that an outsider may not know */
  async function assertReady(): Promise<void> {
    const refused = (said: string, cause?: unknown) =>
      new AppError('unavailable', said, { cause, headers: { 'retry-after': '5' } });
    await deps.checkDatabase().catch(cause => {
      throw refused('The database does not answer.', cause);
    });
    const [missing, unreadable] = await Promise.all([deps.missingMigrations(), deps.unreadable()]);
    if (missing.length > 0)
      throw refused('The database lacks migrations of this version; restart, or run sallyport migrate.');
    if (unreadable > 0)
      throw refused(
        'Stored tokens are sealed under a key that this process does not have; sallyport doctor says more.',
      );
  }

  return async app => {
    app.get('/healthz', { ...open, schema: { response: { 200: ok } } }, async () => ({
      status: 'ok' as const,
    }));

    app.get('/readyz', { ...open, schema: { response: { 200: ok } } }, async () => {
      await assertReady();
      return { status: 'ok' as const };
    });
  };
}

/** `/api/v1/health`, for admins: what `sallyport doctor` says. */
export function checkRoutes(deps: {
  /** Looks at everything the gateway depends on. */
  examine(): Promise<readonly Finding[]>;
}): FastifyPluginAsyncZod {
  let examining: Promise<readonly Finding[]> | null = null;

  const config = { policy: 'admin' } as const;

  return async app => {
    app.get(
      '/api/v1/health',
      {
        config,
        schema: { response: { 200: z.object({ checks: z.array(checkBody) }) } },
      },
      async () => {
        // Many open windows ask the providers and upstreams once.
        examining ??= deps.examine().finally(() => {
          examining = null;
        });
        return {
          checks: (await examining).map(({ what, found, advice }) => ({
            name: what,
            ok: advice === undefined,
            said: found,
            do: advice ?? null,
          })),
        };
      },
    );
  };
}
