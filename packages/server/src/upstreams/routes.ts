import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { createReadiness } from './readiness.ts';

const kind = z.enum(['openai', 'mcp', 'openapi', 'terminal', 'http']);
const homeBody = z.object({
  id: z.string(),
  name: z.string(),
  kind,
  state: z.enum(['ready', 'connect', 'failing', 'denied']),
  failing_since: z.iso.datetime().nullable(),
  detail: z.string().nullable().describe('What is the matter, for people'),
  connect_url: z.string().nullable().describe('Where the person connects their account'),
  base_url: z.string().describe('What a client of this kind is pointed at'),
  models: z.array(z.string()),
});

/** `/api/v1/home`: what the caller may use, and whether it is ready for them. */
export function upstreamRoutes(deps: {
  upstreams: { list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  failing: { of(upstreamId: string): { readonly since: number; readonly said: string } | null };
  publicUrl: URL;
  runtime: Pick<Runtime, 'sleep'>;
}): FastifyPluginAsyncZod {
  const { upstreams, may, publicUrl } = deps;
  const stateOf = createReadiness(deps);

  return async app => {
    app.get(
      '/api/v1/home',
      {
        config: { policy: 'signed-in' },
        schema: { response: { 200: z.object({ items: z.array(homeBody) }) } },
      },
      async ({ principal }) => {
        const usable = upstreams.list().filter(upstream => may(principal, upstream));
        return {
          items: await Promise.all(
            usable.map(async upstream => ({
              id: upstream.id,
              name: upstream.name,
              kind: upstream.kind,
              base_url: baseUrl(upstream, publicUrl),
              models: [...upstream.models],
              ...(await stateOf(principal, upstream)),
            })),
          ),
        };
      },
    );
  };
}

const baseUrl = ({ id, kind, models }: Upstream, { origin }: URL): string =>
  kind === 'mcp' || kind === 'terminal'
    ? `${origin}/${kind === 'mcp' ? 'mcp' : 'terminals'}/${id}`
    : kind === 'openai' && models.length > 0
      ? `${origin}/v1`
      : `${origin}/u/${id}`;
