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
const providerBody = z.object({
  id: z.string(),
  name: z.string(),
  protocol: z.enum(['oidc', 'oauth2']),
  issuer: z.string(),
  client_id: z.string(),
  has_secret: z.boolean(),
  scope: z.string(),
  response_mode: z.enum(['query', 'form_post']),
  source: z.literal('file'),
});

/** `/api/v1/sign-in-options`, for everybody: the ways in. `/api/v1/providers`, for admins: what is known of them, but no secret. */
export function providerRoutes(deps: {
  providers: readonly Provider[];
  users: Pick<UserStore, 'hasAdmin'>;
  localAccounts: boolean;
}): FastifyPluginAsyncZod {
  const { providers, users } = deps;

  return async app => {
    app.get(
      '/api/v1/sign-in-options',
      { config: { policy: 'public' }, schema: { response: { 200: optionsBody } } },
      async () => ({
        providers: providers.map(({ id, name }) => ({
          id,
          name,
          login_url: `/auth/${encodeURIComponent(id)}/login`,
        })),
        local_accounts: deps.localAccounts,
        first_start: providers.length === 0 && !(await users.hasAdmin()),
      }),
    );

    app.get(
      '/api/v1/providers',
      {
        config: { policy: 'admin' },
        schema: { response: { 200: z.object({ items: z.array(providerBody) }) } },
      },
      async () => ({
        items: providers.map(provider => ({
          id: provider.id,
          name: provider.name,
          protocol: provider.protocol,
          issuer: provider.issuer,
          client_id: provider.clientId,
          has_secret: provider.clientSecret !== null,
          scope: provider.scope,
          response_mode: provider.responseMode,
          source: 'file' as const,
        })),
      }),
    );
  };
}
