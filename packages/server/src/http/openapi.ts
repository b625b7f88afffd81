import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { CONTENTS, type Entry, TAGS } from './api-contents.ts';
import { dataPlanePaths, dataPlaneSchemas } from './data-plane-contents.ts';
import type { Policy, Rated } from './policy.ts';

export interface DocumentDeps {
  readonly publicUrl: URL;
  readonly version: string;
  /** Name of the session's cookie. */
  readonly cookie: string;
}

/** An operation as @fastify/swagger makes it from a route's schemas. */
interface Operation {
  parameters?: { in: string; schema?: unknown }[];
  requestBody?: object;
  responses: Record<string, { description: string; content?: object }>;
}
interface Served {
  readonly policy: Policy;
  readonly rate: Rated | undefined;
}
type Generated = { paths: Record<string, Record<string, Operation>> };

const PATH = '/api/openapi.json';
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/**
 * `/api/openapi.json`: the whole API, from the routes' own schemas, their policies and the table of contents, with the data plane's part, which no
 * router knows, written by hand. To be called before any route is there.
 */
export async function registerDocument(api: FastifyInstance, deps: DocumentDeps): Promise<void> {
  await api.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Sallyport', version: deps.version } },
    transform: jsonSchemaTransform,
  });
  const served = new Map<string, Served>();
  api.addHook('onRoute', ({ method, url, config }) => {
    for (const one of [method].flat())
      served.set(`${one} ${url.replace(/:(\w+)/g, '{$1}')}`, { policy: config!.policy!, rate: config!.rate });
  });
  let document: string | null = null;
  api.get(PATH, { config: { policy: 'public' } }, async (_request, reply) => {
    document ??= JSON.stringify(assembled(api.swagger() as unknown as Generated, served, deps));
    return reply.type('application/json').send(document);
  });
}

function assembled(generated: Generated, served: ReadonlyMap<string, Served>, deps: DocumentDeps): object {
  const paths = Object.fromEntries(
    Object.entries(generated.paths).map(([path, item]) => [
      path,
      Object.fromEntries(
        METHODS.flatMap(method => {
          const name = `${method.toUpperCase()} ${path}`;
          const operation = item[method];
          return operation === undefined
            ? []
            : [[method, described(operation, served.get(name)!, CONTENTS[name])]];
        }),
      ),
    ]),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport',
      version: deps.version,
      description:
        'An identity-aware gateway for AI tools. Times are RFC 3339 in UTC; errors are problem details (RFC 9457).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: deps.publicUrl.origin }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: { ...paths, ...dataPlanePaths },
    components: {
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: deps.cookie, description: 'Where a person signed in' },
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A gateway key (`sp_…`), or a JWT of a configured issuer',
        },
        proxy: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Sallyport-Proxy-Secret',
          description: 'What the operator gave to the proxy that asks',
        },
      },
      schemas: { Problem, ...dataPlaneSchemas },
    },
  };
}

function described(operation: Operation, { policy, rate }: Served, entry: Entry | undefined): object {
  const { requestBody, responses } = operation;
  const parameters = named(operation.parameters ?? []);
  const answers: Record<string, object> = {};
  for (const [status, { content }] of Object.entries(responses)) {
    // What a route without a schema for its answers is given, and bodies where there is none.
    const bare = content === undefined || status === '204';
    if (bare && status !== '204') continue;
    answers[status] = { description: status === '204' ? 'Done' : 'Well', ...(bare ? {} : { content }) };
  }
  for (const [status, { what, type }] of Object.entries(entry?.answers ?? {}))
    answers[status] = { description: what, ...(type === undefined ? {} : { content: { [type]: {} } }) };

  const refusals = new Set([421, 431, 500, 503, ...(entry?.refusals ?? [])]);
  if (policy !== 'public') for (const status of [401, 403, 429]) refusals.add(status);
  if (parameters.length > 0 || requestBody !== undefined) refusals.add(400);
  if (operation.parameters?.some(parameter => parameter.in === 'path')) refusals.add(404);
  if (requestBody !== undefined) for (const status of [408, 413]) refusals.add(status);
  if (rate !== undefined) refusals.add(429);
  for (const status of [...refusals].sort()) answers[status] = refusal(status, entry?.refusalType);
  return {
    operationId: entry?.id,
    summary: entry?.summary,
    tags: entry === undefined ? [] : [entry.tag],
    security: policy === 'public' ? [] : [{ session: [] }, { bearer: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: answers,
  };
}

/** A query of any names, which @fastify/swagger takes for parameters, as what it is. */
function named(parameters: NonNullable<Operation['parameters']>): object[] {
  const known = parameters.filter(({ schema }) => typeof schema === 'object');
  if (known.length === parameters.length) return known;
  const schema = { type: 'object', additionalProperties: true };
  return [...known, { name: 'parameters', in: 'query', style: 'form', explode: true, schema }];
}

const WORDS: Record<number, string> = {
  400: 'Not understood',
  401: 'Nobody is signed in, or by nothing valid',
  403: 'Not allowed',
  404: 'There is no such thing, or not for you',
  408: 'The body did not come in time',
  409: 'It cannot be done as things are',
  410: 'It is used up',
  413: 'Too large',
  421: 'Another host is meant',
  429: 'Too often; `retry-after` says when again',
  431: 'Too many or too long header fields',
  500: 'The gateway failed',
  502: 'The provider or upstream failed',
  503: 'Not now; `retry-after` says when again',
};

const refusal = (status: number, type: string | undefined) => ({
  description: WORDS[status],
  content: {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    ...(type === undefined ? {} : { [type]: {} }),
  },
});

const Problem = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', description: '`urn:sallyport:` and the code' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'For people: what is the matter, and what to do' },
    code: { type: 'string', description: 'To switch on; never renamed' },
    action: { type: 'string', format: 'uri', description: 'Where a person mends it' },
  },
  additionalProperties: false,
};
