import { SERVER_NAME } from '@sallyport/protocol/hello.ts';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { actorOf } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Entry } from './registry.ts';
import type { Sharing } from './sharing.ts';

const time = z.iso.datetime().describe('RFC 3339, UTC');
const shared = z.strictObject({
  everyone: z.boolean(),
  users: z.array(z.string().min(1).max(200)).max(200).describe('User ids or addresses'),
  groups: z.array(z.string().min(1).max(200)).max(200),
});
const tunnelBody = z.object({
  id: z.string(),
  name: z.string().describe('{user}/{name}: its id as an upstream'),
  alias: z.string().nullable().describe('A plain name that an admin gave it'),
  kind: z.enum(['mcp', 'http', 'stdio', 'terminal']),
  title: z.string().nullable(),
  owner_id: z.string(),
  shared: z.object({ everyone: z.boolean(), users: z.array(z.string()), groups: z.array(z.string()) }),
  url: z.string().describe('What a client is pointed at'),
  connected: z.boolean(),
  since: time.nullable().describe('Since when it is connected, or is not'),
  agent: z.string().nullable(),
  address: z.string().nullable().describe('Where its agent is'),
  calls: z.number().int(),
  under_way: z.number().int(),
  bytes_up: z.number().int().describe('Toward the local server'),
  bytes_down: z.number().int(),
  latency_ms: z.number().nullable().describe('Mean of the last calls'),
  last_error: z.object({ at: time, said: z.string() }).nullable(),
  created_at: time,
  seen_at: time.describe('When an agent came with it last'),
});
const byId = z.object({ id: z.string().min(1).max(100) });
const changeBody = z.strictObject({
  shared: shared.optional(),
  alias: z.string().regex(SERVER_NAME).nullable().optional().describe('Only admins may set it'),
});

/** `/api/v1/tunnels`: whose are connected, with whom each is shared, and their end. */
export function tunnelRoutes(deps: {
  registry: { list(): readonly Entry[]; byTunnelId(id: string): Entry | undefined };
  sharing: Sharing;
  urlOf(entry: Entry): string;
}): FastifyPluginAsyncZod {
  const { registry, sharing, urlOf } = deps;
  const signedIn = { policy: 'signed-in' } as const;

  /** Another's answers as one that does not exist: ids are not to be probed. */
  function own(principal: Principal, id: string): Entry {
    if (principal.scope !== null)
      throw new AppError('forbidden', 'A credential that is limited to a scope changes no tunnels.');
    const entry = registry.byTunnelId(id);
    if (entry === undefined || !(principal.admin || entry.tunnel.ownerId === principal.userId))
      throw new AppError('not_found', 'There is no such tunnel.');
    return entry;
  }

  return async app => {
    app.get(
      '/api/v1/tunnels',
      { config: signedIn, schema: { response: { 200: z.object({ items: z.array(tunnelBody) }) } } },
      async ({ principal }) => ({
        items: registry
          .list()
          .filter(({ tunnel }) => principal.admin || tunnel.ownerId === principal.userId)
          .map(entry => onWire(entry, urlOf(entry))),
      }),
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
        return onWire(entry, urlOf(entry));
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

const iso = (at: number): string => new Date(at).toISOString();

function onWire(entry: Entry, url: string): z.infer<typeof tunnelBody> {
  const { tunnel, upstream, live, leftAt } = entry;
  const tally = live?.tally;
  const error = tally?.lastError ?? null;
  const since = live?.since ?? leftAt;
  return {
    id: tunnel.id,
    name: upstream.id,
    alias: tunnel.alias,
    kind: tunnel.kind,
    title: tunnel.title,
    owner_id: tunnel.ownerId,
    shared: {
      everyone: tunnel.shared.everyone,
      users: [...tunnel.shared.users],
      groups: [...tunnel.shared.groups],
    },
    url,
    connected: live !== null,
    since: since === null ? null : iso(since),
    agent: live?.agent ?? null,
    address: live?.address ?? null,
    calls: tally?.calls ?? 0,
    under_way: tally?.underWay ?? 0,
    bytes_up: tally?.bytesUp ?? 0,
    bytes_down: tally?.bytesDown ?? 0,
    latency_ms: tally?.latency ?? null,
    last_error: error === null ? null : { at: iso(error.at), said: error.said },
    created_at: iso(tunnel.createdAt),
    seen_at: iso(tunnel.seenAt),
  };
}
