import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Provider } from '../terms/provider.ts';
import type { UserStore } from './user-store.ts';

const optionsBody = z.object({
  providers: z.array(z.object({ id: z.string(), name: z.string(), login_url: z.string() })),
  local_accounts: z.boolean().describe('Whether people may sign in with a password kept here'),
  first_start: z
    .boolean()
    .describe('Nobody can sign in yet: the terminal shows the link for the first admin'),
});

/** `/api/v1/sign-in-options`, for everybody: the ways in. */
export function signInOptionsRoutes(deps: {
  providers: { list(): readonly Provider[] };
  users: Pick<UserStore, 'hasAdmin'>;
  localAccounts: boolean;
}): FastifyPluginAsyncZod {
  const { providers, users } = deps;

  return async app => {
    app.get(
      '/api/v1/sign-in-options',
      { config: { policy: 'public' }, schema: { response: { 200: optionsBody } } },
      async () => ({
        providers: providers.list().map(({ id, name }) => ({
          id,
          name,
          login_url: `/auth/${encodeURIComponent(id)}/login`,
        })),
        local_accounts: deps.localAccounts,
        first_start: providers.list().length === 0 && !(await users.hasAdmin()),
      }),
    );
  };
}
