import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { actorOf } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { GrantSummary, Vault } from './vault.ts';

const id = z.string().min(1).max(100);
const time = z.iso.datetime().describe('RFC 3339, UTC');
const grantBody = z.object({
  id,
  provider: z.string(),
  provider_name: z.string(),
  scope: z.string(),
  state: z.enum(['ready', 'reauth_required']),
  expires_at: time.describe('Of the access token; it is renewed before'),
  refreshed_at: time.nullable(),
  refresh_result: z.string().nullable().describe('`refreshed`, or why the last attempt brought nothing'),
  reconnect_url: z.string().nullable().describe('A path of ours; null where the provider is gone'),
  created_at: time,
});

/** `/api/v1/token` and `/api/v1/grants`: what a person has given us, and the one way a program gets it. */
export function vaultRoutes(deps: {
  vault: Pick<Vault, 'release' | 'grantsOf' | 'endGrant'>;
  upstreams: { find(id: string): Upstream | undefined };
  may(principal: Principal, upstream: Upstream): boolean;
  providers: { find(id: string): Pick<Provider, 'id' | 'name'> | undefined };
}): FastifyPluginAsyncZod {
  const { vault, upstreams, may, providers } = deps;
  const config = { policy: 'signed-in' } as const;

  return async app => {
    app.post(
      '/api/v1/token',
      {
        config: { ...config, rate: 'token' },
        schema: {
          body: z.strictObject({ service: id.describe('Upstream id') }),
          response: {
            200: z.object({
              access_token: z.string(),
              token_type: z.literal('Bearer'),
              expires_in: z.number().int().describe('Seconds'),
            }),
          },
        },
      },
      async ({ principal, body, ip }, reply) => {
        const upstream = upstreams.find(body.service);
        if (upstream === undefined || !may(principal, upstream))
          throw new AppError('not_found', 'There is no such service for you.');
        // RFC 6749 section 5.1.
        reply.header('cache-control', 'no-store');
        return vault.release(principal, upstream, ip);
      },
    );

    app.get(
      '/api/v1/grants',
      { config, schema: { response: { 200: z.object({ items: z.array(grantBody) }) } } },
      async ({ principal }) => ({
        items: (await vault.grantsOf(principal.userId)).map(grant =>
          onWire(grant, providers.find(grant.provider)),
        ),
      }),
    );

    app.delete(
      '/api/v1/grants/:id',
      { config, schema: { params: z.object({ id }), response: { 204: z.null() } } },
      async (request, reply) => {
        const { principal, params } = request;
        // Another's grant answers as one that does not exist.
        const own = (await vault.grantsOf(principal.userId)).some(grant => grant.id === params.id);
        if (!own || !(await vault.endGrant(params.id, actorOf(request))))
          throw new AppError('not_found', 'There is no such grant.');
        return reply.code(204).send(null);
      },
    );
  };
}

const iso = (at: number): string => new Date(at).toISOString();

const onWire = (grant: GrantSummary, provider: { name: string } | undefined) => ({
  id: grant.id,
  provider: grant.provider,
  provider_name: provider?.name ?? grant.provider,
  scope: grant.scope,
  state: grant.state === 'reauth_required' ? ('reauth_required' as const) : ('ready' as const),
  expires_at: iso(grant.expiresAt),
  refreshed_at: grant.refreshedAt === null ? null : iso(grant.refreshedAt),
  refresh_result: grant.refreshResult,
  reconnect_url:
    provider === undefined ? null : `/auth/${encodeURIComponent(grant.provider)}/login?return_to=%2Faccount`,
  created_at: iso(grant.createdAt),
});
