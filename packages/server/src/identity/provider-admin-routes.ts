import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Entry } from '../platform/definitions/definitions.ts';
import { AppError } from '../platform/errors.ts';
import { type Audit, actorOf } from '../terms/audit.ts';
import type { Provider } from '../terms/provider.ts';
import { definitionOf, type ProviderDefinition, providerDraft } from './provider-definition.ts';
import type { ProviderEdits } from './provider-edits.ts';
import type { Providers } from './providers.ts';

const id = z.string().min(1).max(100);
const byId = z.object({ id });
const claimRule = z.object({ claim: z.string(), has: z.array(z.string()) }).nullable();
const recordBody = z.object({
  id,
  name: z.string(),
  protocol: z.enum(['oidc', 'oauth2']),
  issuer: z.string(),
  client_id: z.string(),
  has_secret: z.boolean(),
  scope: z.string(),
  response_mode: z.enum(['query', 'form_post']),
  groups_claim: z.string(),
  allow: claimRule,
  admins: claimRule,
  authorization_params: z.record(z.string(), z.string()),
  endpoints: z.object({ authorization: z.string(), token: z.string(), userinfo: z.string() }).nullable(),
  source: z.enum(['file', 'database']).describe('Only what lies in the database can be changed here'),
  problem: z.string().nullable().describe('Why it cannot be used at present'),
});
const answerBody = z.object({
  ok: z.boolean(),
  said: z.string(),
  hint: z.string().nullable().describe('What to do where it is not well'),
});

/** What a look at a provider found; `advice` where it is not well. */
interface Finding {
  readonly found: string;
  readonly advice?: string;
}

/** `/api/v1/providers`, for admins: what is there, and adding, changing, testing and removing it. */
export function providerAdminRoutes(deps: {
  providers: Providers;
  edits: ProviderEdits;
  /** Asks the provider who it is. */
  examine(provider: Provider): Promise<readonly Finding[]>;
  /** What goes with a provider, counted; upstreams by their names. */
  consequences(provider: {
    id: string;
    issuer: string;
  }): Promise<{ users: number; sessions: number; grants: number; upstreams: string[] }>;
  audit: Audit;
}): FastifyPluginAsyncZod {
  const { providers, edits, audit } = deps;
  const config = { policy: 'admin' } as const;

  function known(wanted: string): Entry<Provider, ProviderDefinition> {
    const entry = providers.entries().find(one => one.id === wanted);
    if (entry === undefined) throw new AppError('not_found', 'There is no such provider.');
    return entry;
  }

  /** A key for some upstreams is no key for who may come in. */
  function refuseLimited({ principal }: FastifyRequest): void {
    if (principal.scope !== null)
      throw new AppError(
        'forbidden',
        'This credential is limited to some upstreams; it changes no provider.',
      );
  }

  function record(request: FastifyRequest, act: Act, target: string, detail: Detail): void {
    audit.record({ action: `provider.${act}`, ...actorOf(request), target, detail });
  }

  return async app => {
    app.get(
      '/api/v1/providers',
      { config, schema: { response: { 200: z.object({ items: z.array(recordBody) }) } } },
      async () => ({ items: providers.entries().map(onWire) }),
    );

    app.post(
      '/api/v1/providers',
      { config, schema: { body: providerDraft, response: { 201: recordBody } } },
      async (request, reply) => {
        refuseLimited(request);
        const { body } = request;
        await edits.create(body);
        const made = onWire(known(body.id));
        record(request, 'create', made.id, about(made));
        return reply.code(201).send(made);
      },
    );

    app.put(
      '/api/v1/providers/:id',
      { config, schema: { params: byId, body: providerDraft, response: { 200: recordBody } } },
      async request => {
        refuseLimited(request);
        await edits.update(request.params.id, request.body);
        const made = onWire(known(request.params.id));
        record(request, 'update', made.id, about(made));
        return made;
      },
    );

    app.delete(
      '/api/v1/providers/:id',
      { config, schema: { params: byId, response: { 204: z.null() } } },
      async (request, reply) => {
        refuseLimited(request);
        await edits.remove(request.params.id, actorOf(request));
        record(request, 'remove', request.params.id, {});
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/api/v1/providers/:id/consequences',
      {
        config,
        schema: {
          params: byId,
          response: {
            200: z.object({
              users: z.number().int(),
              sessions: z.number().int(),
              grants: z.number().int(),
              upstreams: z.array(z.string()).describe('Whose credential comes from it'),
            }),
          },
        },
      },
      async ({ params }) => deps.consequences(onWire(known(params.id))),
    );

    app.post(
      '/api/v1/providers/test',
      {
        config,
        schema: {
          body: z.strictObject({ id: id.optional(), draft: providerDraft.optional() }),
          response: { 200: answerBody },
        },
      },
      async request => {
        refuseLimited(request);
        const { id, draft } = request.body;
        if (draft === undefined && id === undefined)
          throw new AppError('bad_request', 'Name a provider by its id, or send a draft.');
        const provider = draft === undefined ? usable(known(id!)) : edits.compose(draft);
        const found = await deps.examine(provider);
        const ill = found.find(finding => finding.advice !== undefined);
        record(request, 'test', provider.id, { issuer: provider.issuer, ok: ill === undefined });
        return { ok: ill === undefined, said: (ill ?? found[0]!).found, hint: ill?.advice ?? null };
      },
    );
  };
}

type Act = 'create' | 'update' | 'remove' | 'test';
type Detail = NonNullable<Parameters<Audit['record']>[0]['detail']>;
type ProviderRecord = z.output<typeof recordBody>;

const about = ({ issuer, client_id }: ProviderRecord): Detail => ({ issuer, client_id });

function usable(entry: Entry<Provider, ProviderDefinition>): Provider {
  if (entry.item === null) throw new AppError('conflict', `It cannot be used: ${entry.problem}`);
  return entry.item;
}

function onWire(entry: Entry<Provider, ProviderDefinition>): ProviderRecord {
  const definition = entry.source === 'file' ? definitionOf(entry.item) : entry.definition;
  const rule = (of: ProviderDefinition['allow']) => of && { claim: of.claim, has: [...of.has] };
  return {
    ...definition,
    has_secret: entry.source === 'file' ? entry.item.clientSecret !== null : entry.hasSecret,
    allow: rule(definition.allow),
    admins: rule(definition.admins),
    source: entry.source,
    problem: entry.problem,
  };
}
