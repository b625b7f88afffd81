import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Entry } from '../platform/definitions/definitions.ts';
import { AppError } from '../platform/errors.ts';
import { type Audit, actorOf } from '../terms/audit.ts';
import type { Upstream } from '../terms/upstream.ts';
import { definitionOf, keyOf, type UpstreamDefinition, upstreamDraft } from './definition.ts';
import type { Probe } from './probe.ts';
import type { UpstreamEdits } from './upstream-edits.ts';
import type { Upstreams } from './upstreams.ts';

const id = z.string().min(1).max(100);
const byId = z.object({ id });
const place = z.object({ header: z.string(), scheme: z.string() });
const names = z.array(z.string());
const toolRule = z.object({ allow: names.optional(), deny: names.optional() });
const ofTerminal = z.string().optional().describe('Only of kind terminal');
const recordBody = z.object({
  id,
  name: z.string(),
  kind: z.enum(['openai', 'mcp', 'openapi', 'terminal', 'http']),
  url: z.string(),
  models: names,
  credential: z.object({
    use: z.enum(['none', 'key', 'sign-in']),
    header: z.string().optional(),
    scheme: z.string().optional(),
    token: z.enum(['access_token', 'id_token']).optional(),
    strict: z.boolean().optional(),
    provider: z.string().nullable().optional(),
    release: z.boolean().optional(),
    fallback: place.nullable().optional(),
    has_key: z.boolean().describe('Whether a static key, or a fallback key, is stored'),
  }),
  tools: toolRule
    .extend({ groups: z.record(z.string(), toolRule).optional() })
    .optional()
    .describe('Only of kind mcp; a change without it ends it'),
  recordArguments: z.boolean().optional().describe('Only of kind mcp'),
  attach: ofTerminal,
  policy: ofTerminal,
  reattach: ofTerminal,
  orphanAfter: ofTerminal,
  idle: ofTerminal,
  lifetime: ofTerminal,
  record: z.boolean().optional().describe('Only of kind terminal'),
  embedded: z
    .literal(true)
    .optional()
    .describe('Shells on the gateway’s own machine, by the configuration file alone'),
  isolate: z.enum(['none', 'bubblewrap']).optional().describe('Only of embedded ones'),
  access: z.object({ everyone: z.boolean(), users: names, groups: names }),
  source: z.enum(['file', 'database']).describe('Only what lies in the database can be changed here'),
  problem: z.string().nullable().describe('Why it cannot be used at present'),
});
const answerBody = z.object({
  ok: z.boolean(),
  status: z.number().int().nullable(),
  took_ms: z.number().nullable(),
  said: z.string(),
  hint: z.string().nullable().describe('What to do where it is not well'),
});

/** `/api/v1/upstreams`, for admins: what is there, and adding, changing, testing and removing it. */
export function upstreamAdminRoutes(deps: {
  upstreams: Upstreams;
  edits: UpstreamEdits;
  probe: Probe;
  /** Live keys that open this upstream and nothing else. */
  keysLimitedTo(upstreamId: string): Promise<string[]>;
  /** Calls under way, in this process. */
  openCalls(upstreamId: string): number;
  /** Shells that run there, whoever made them. */
  terminalsAt(upstreamId: string): Promise<number>;
  audit: Audit;
}): FastifyPluginAsyncZod {
  const { upstreams, edits, audit } = deps;
  const config = { policy: 'admin' } as const;

  const entryOf = (wanted: string) => upstreams.entries().find(entry => entry.id === wanted);

  function known(wanted: string): Entry<Upstream, UpstreamDefinition> {
    const entry = entryOf(wanted);
    if (entry === undefined) throw new AppError('not_found', 'There is no such upstream.');
    return entry;
  }

  /** A key for some upstreams is no key for what upstreams there are. */
  function refuseLimited({ principal }: FastifyRequest): void {
    if (principal.scope !== null)
      throw new AppError('forbidden', 'This credential is limited to some upstreams; it cannot change any.');
  }

  function record(request: FastifyRequest, act: Act, target: string, detail: Detail): void {
    audit.record({ action: `upstream.${act}`, ...actorOf(request), target, detail });
  }

  return async app => {
    app.get(
      '/api/v1/upstreams',
      { config, schema: { response: { 200: z.object({ items: z.array(recordBody) }) } } },
      async () => ({ items: upstreams.entries().map(onWire) }),
    );

    app.post(
      '/api/v1/upstreams',
      { config, schema: { body: upstreamDraft, response: { 201: recordBody } } },
      async (request, reply) => {
        refuseLimited(request);
        const { body } = request;
        await edits.create(body);
        record(request, 'create', body.id, about(body));
        return reply.code(201).send(onWire(known(body.id)));
      },
    );

    app.put(
      '/api/v1/upstreams/:id',
      { config, schema: { params: byId, body: upstreamDraft, response: { 200: recordBody } } },
      async request => {
        refuseLimited(request);
        const { params, body } = request;
        await edits.update(params.id, body);
        record(request, 'update', params.id, about(body));
        return onWire(known(params.id));
      },
    );

    app.delete(
      '/api/v1/upstreams/:id',
      { config, schema: { params: byId, response: { 204: z.null() } } },
      async (request, reply) => {
        refuseLimited(request);
        await upstreams.remove(request.params.id);
        record(request, 'remove', request.params.id, {});
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/api/v1/upstreams/:id/consequences',
      {
        config,
        schema: {
          params: byId,
          response: {
            200: z.object({
              open_calls: z.number().int().describe('Under way in the process that answers'),
              terminals: z.number().int().describe('Shells that run there, whoever made them'),
              keys_limited_to_it: z.array(z.string()),
            }),
          },
        },
      },
      async ({ params }) => {
        known(params.id);
        return {
          open_calls: deps.openCalls(params.id),
          terminals: await deps.terminalsAt(params.id),
          keys_limited_to_it: await deps.keysLimitedTo(params.id),
        };
      },
    );

    app.post(
      '/api/v1/upstreams/test',
      {
        config,
        schema: {
          body: z
            .strictObject({ id: id.optional(), draft: upstreamDraft.optional() })
            .describe('One that is there, or a draft; a draft with an id may keep the key of that one'),
          response: { 200: answerBody },
        },
      },
      async request => {
        refuseLimited(request);
        const { id, draft } = request.body;
        if (draft === undefined && id === undefined)
          throw new AppError('bad_request', 'Name an upstream by its id, or send a draft.');
        const upstream = draft === undefined ? usable(known(id!)) : edits.compose(draft, id);
        const answer = await deps.probe(request.principal, upstream);
        const { href } = upstream.url;
        record(request, 'test', upstream.id, { url: href, ok: answer.ok, status: answer.status });
        return answer;
      },
    );
  };
}

type Act = 'create' | 'update' | 'remove' | 'test';
type Detail = NonNullable<Parameters<Audit['record']>[0]['detail']>;

const about = (draft: z.output<typeof upstreamDraft>): Detail => ({
  kind: draft.kind,
  url: draft.url,
  use: draft.credential.use,
});

function usable(entry: Entry<Upstream, UpstreamDefinition>): Upstream {
  if (entry.item === null) throw new AppError('conflict', `It cannot be used: ${entry.problem}`);
  return entry.item;
}

function onWire(entry: Entry<Upstream, UpstreamDefinition>): z.output<typeof recordBody> {
  const definition = entry.source === 'file' ? definitionOf(entry.item) : entry.definition;
  const hasKey = entry.source === 'file' ? keyOf(entry.item) !== null : entry.hasSecret;
  return {
    ...definition,
    models: [...definition.models],
    credential: { ...definition.credential, has_key: hasKey },
    access: {
      everyone: definition.access.everyone,
      users: [...definition.access.users],
      groups: [...definition.access.groups],
    },
    source: entry.source,
    problem: entry.problem,
  };
}
