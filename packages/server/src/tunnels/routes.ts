import { SERVER_NAME } from '@sallyport/protocol/hello.ts';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { actorOf } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Entry } from './registry.ts';
import type { Sharing } from './sharing.ts';
import { tunnelTools } from './tunnel-tools.ts';
import { onWire, tunnelBody } from './wire.ts';

const shared = z.strictObject({
  everyone: z.boolean(),
  users: z.array(z.string().min(1).max(200)).max(200).describe('User ids or addresses'),
  groups: z.array(z.string().min(1).max(200)).max(200),
});
const byId = z.object({ id: z.string().min(1).max(100) });
const changeBody = z.strictObject({
  shared: shared.optional(),
  tools: tunnelTools.nullable().optional().describe('Of MCP servers; null: all of them'),
  alias: z.string().regex(SERVER_NAME).nullable().optional().describe('Only admins may set it'),
});
const consequencesBody = z.object({
  open_calls: z.number().int().describe('Under way now'),
  shared_with: z.array(z.string()).describe('People and groups'),
  plain_names: z.array(z.string()),
  keys_limited_to_it: z.number().int(),
});

/** `/api/v1/tunnels`: which there are, with whom each is shared, and their end. */
export function tunnelRoutes(deps: {
  registry: { list(): readonly Entry[]; byTunnelId(id: string): Entry | undefined };
  sharing: Sharing;
  urlOf(entry: Entry): string;
  may(principal: Principal, upstream: Upstream): boolean;
  /** What people call users, by their ids. */
  users: { labels(ids: readonly string[]): Promise<ReadonlyMap<string, string>> };
  /** Live keys that open this upstream and nothing else. */
  keysLimitedTo(upstreamId: string): Promise<readonly string[]>;
}): FastifyPluginAsyncZod {
  const { registry, sharing, may } = deps;
  const signedIn = { policy: 'signed-in' } as const;

  const owns = (principal: Principal, { tunnel }: Entry): boolean =>
    principal.admin || tunnel.ownerId === principal.userId;

  /** Another's answers as one that does not exist: ids are not to be probed. */
  function own(principal: Principal, id: string): Entry {
    if (principal.scope !== null)
      throw new AppError('forbidden', 'A credential that is limited to a scope changes no tunnels.');
    const entry = registry.byTunnelId(id);
    if (entry === undefined || !owns(principal, entry))
      throw new AppError('not_found', 'There is no such tunnel.');
    return entry;
  }

  async function views(principal: Principal, entries: readonly Entry[]) {
    const labels = await deps.users.labels([...new Set(entries.map(({ tunnel }) => tunnel.ownerId))]);
    return entries.map(entry =>
      onWire(entry, {
        url: deps.urlOf(entry),
        owner: labels.get(entry.tunnel.ownerId) ?? null,
        mayChange: owns(principal, entry),
      }),
    );
  }

  return async app => {
    app.get(
      '/api/v1/tunnels',
      { config: signedIn, schema: { response: { 200: z.object({ items: z.array(tunnelBody) }) } } },
      async ({ principal }) => {
        const open = (entry: Entry) => owns(principal, entry) || may(principal, entry.upstream);
        return { items: await views(principal, registry.list().filter(open)) };
      },
    );

    app.patch(
      '/api/v1/tunnels/:id',
      { config: signedIn, schema: { params: byId, body: changeBody, response: { 200: tunnelBody } } },
      async request => {
        const { principal, params, body } = request;
        const entry = own(principal, params.id);
        if (body.alias !== undefined && !principal.admin)
          throw new AppError('forbidden', 'Only admins give plain names.');
        await sharing.change(entry, body, actorOf(request));
        return (await views(principal, [entry]))[0]!;
      },
    );

    app.get(
      '/api/v1/tunnels/:id/consequences',
      { config: signedIn, schema: { params: byId, response: { 200: consequencesBody } } },
      async ({ principal, params }) => {
        const { tunnel, upstream, live } = own(principal, params.id);
        const { everyone, users, groups } = tunnel.shared;
        return {
          open_calls: live?.tally.underWay ?? 0,
          shared_with: [...(everyone ? ['everyone'] : []), ...users, ...groups.map(name => `group ${name}`)],
          plain_names: tunnel.alias === null ? [] : [tunnel.alias],
          keys_limited_to_it: (await deps.keysLimitedTo(upstream.id)).length,
        };
      },
    );

    app.delete(
      '/api/v1/tunnels/:id',
      { config: signedIn, schema: { params: byId, response: { 204: z.null().describe('Done') } } },
      async (request, reply) => {
        await sharing.remove(own(request.principal, request.params.id), actorOf(request));
        return reply.code(204).send(null);
      },
    );
  };
}
