/** The part of the API's document that no router knows: what is dispatched by hand, and mostly passed on (docs/forwarding.md). */

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object) => ({ 'application/json': { schema } });
const openaiRefusal = (description: string) => ({ description, content: json(ref('OpenAIError')) });
const refusal = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ref('Problem') } },
});
const parameter = (name: string, where: 'path' | 'query', description: string) => ({
  name,
  in: where,
  required: true,
  description,
  schema: { type: 'string' },
});
const security = [{ session: [] }, { bearer: [] }];
const anything = { content: { '*/*': {} } };

/** Refusals of ours; any other status is the upstream's. */
const refusals = (as: (description: string) => object) => ({
  400: as('The path, the body or the credential cannot be understood'),
  401: as('Nobody is signed in, or there is no token for this upstream'),
  403: as('You may not use it'),
  404: as('There is no such upstream or model'),
  408: as('The body did not come in time'),
  413: as('The body is too large'),
  421: as('Another host is meant'),
  429: as('Too many wrong credentials; `retry-after` says when again'),
  431: as('Too many or too long header fields'),
  502: as('The upstream cannot be reached, or broke off'),
  503: as('The token cannot be renewed at the moment'),
  504: as('The upstream did not answer in time'),
});
const passedOn = (as: (description: string) => object) => ({
  ...refusals(as),
  200: { description: "The upstream's answer, as it is; streams as they come", ...anything },
  default: { description: "The upstream's answer, as it is", ...anything },
});

const openai = (id: string, summary: string) => ({
  operationId: id,
  summary,
  tags: ['data plane'],
  security,
  requestBody: {
    required: true,
    description: "The OpenAI API's own; `model` picks the upstream",
    content: json({ type: 'object', properties: { model: { type: 'string' } } }),
  },
  responses: passedOn(openaiRefusal),
});

const openaiWithoutBody = (id: string, summary: string) => ({
  operationId: id,
  summary,
  tags: ['data plane'],
  security,
  parameters: [parameter('path', 'path', 'Slashes included')],
  responses: passedOn(openaiRefusal),
});

const upstreamPath = [
  parameter('upstream', 'path', "The upstream's id"),
  parameter('path', 'path', 'Everything behind it, slashes included, and the query: sent as it came'),
];
const body = { content: { '*/*': {} } };
const forwarded = (id: string, withBody: boolean) => ({
  operationId: id,
  summary: 'Sent on with the credential for the caller',
  tags: ['data plane'],
  security,
  parameters: upstreamPath,
  ...(withBody ? { requestBody: body } : {}),
  responses: passedOn(refusal),
});

const rpcRefusal = (description: string) => ({
  description,
  content: json({ type: 'object', properties: { jsonrpc: { const: '2.0' }, error: { type: 'object' } } }),
});
/** @param joined at `/mcp`, for all servers at once */
const mcp = (id: string, summary: string, withBody: boolean, joined = false) => ({
  operationId: id,
  summary,
  tags: ['data plane'],
  security,
  ...(joined ? {} : { parameters: [upstreamPath[0]!] }),
  ...(withBody ? { requestBody: { content: json({ type: 'object' }) } } : {}),
  responses: passedOn(rpcRefusal),
});

const terminalId = parameter('id', 'path', "The terminal's id, one segment");
const terminal = (id: string, summary: string, more: object[] = []) => ({
  operationId: id,
  summary,
  tags: ['data plane'],
  security,
  parameters: [upstreamPath[0]!, ...more],
  responses: { ...passedOn(refusal), 404: refusal('There is no such terminal server, or no such terminal') },
});

const checked = {
  200: {
    description: 'May pass, with these headers, and with the key in another header where the rule says so',
    headers: Object.fromEntries(
      ['Authorization', 'X-Auth-User-Id', 'X-Auth-Email', 'X-Auth-Name', 'X-Auth-Groups'].map(name => [
        name,
        {
          schema: { type: 'string' },
          description: 'Percent-encoded but for visible ASCII; empty where there is none',
        },
      ]),
    ),
  },
  303: { description: 'A person is to sign in first' },
  400: refusal('The question is incomplete'),
  401: refusal('Nobody is signed in; `location` where a person can'),
  403: refusal('May not pass, or it is no proxy that asks'),
  404: refusal('Forward-auth is switched off'),
  429: refusal('Too many bad credentials from there'),
  503: refusal('The token cannot be renewed at the moment'),
};
const check = (id: string, parameters: object[]) => ({
  operationId: id,
  summary: 'A proxy asks whether a request may pass, and with which credential (docs/forward-auth.md)',
  tags: ['data plane'],
  security: [{ proxy: [] }],
  parameters,
  responses: checked,
});

export const dataPlanePaths = {
  '/v1/models': {
    get: {
      operationId: 'listModels',
      summary: 'The models of all upstreams that the caller may use',
      tags: ['data plane'],
      security,
      responses: {
        ...refusals(openaiRefusal),
        200: {
          description: 'Well',
          headers: {
            'X-Sallyport-Incomplete': {
              schema: { type: 'string' },
              description: 'Upstreams that did not answer',
            },
          },
          content: json(ref('ModelList')),
        },
      },
    },
  },
  '/v1/chat/completions': { post: openai('createChatCompletion', 'Chat, by the upstream of the model') },
  '/v1/responses': { post: openai('createResponse', 'Responses, by the upstream of the model') },
  '/v1/embeddings': { post: openai('createEmbedding', 'Embeddings, by the upstream of the model') },
  '/v1/{path}': {
    post: {
      ...openai('callOpenai', 'Any other path of the OpenAI API'),
      parameters: [parameter('path', 'path', 'Slashes included')],
    },
    get: openaiWithoutBody('getOpenai', 'What has no model in it, where one model API alone could be meant'),
    delete: openaiWithoutBody('deleteOpenai', 'The same'),
  },
  '/u/{upstream}/{path}': {
    get: forwarded('forwardGet', false),
    post: forwarded('forwardPost', true),
    put: forwarded('forwardPut', true),
    patch: forwarded('forwardPatch', true),
    delete: forwarded('forwardDelete', false),
  },
  '/mcp': {
    post: mcp('callAllMcp', 'A message to all MCP servers that the caller may use, as to one', true, true),
    get: mcp('streamAllMcp', "A legacy session's stream", false, true),
    delete: mcp('endAllMcp', 'Ends a legacy session', false, true),
  },
  '/mcp/sse': { get: mcp('openAllMcpSse', 'A session of the transport of 2024-11-05', false, true) },
  '/mcp/messages': { post: mcp('postAllMcpSse', 'A message for such a session', true, true) },
  '/mcp/{upstream}': {
    post: mcp(
      'callMcp',
      'A message of the Model Context Protocol (docs/mcp.md), of whichever of its versions',
      true,
    ),
    get: mcp('streamMcp', "A legacy session's stream", false),
    delete: mcp('endMcp', 'Ends a legacy session', false),
  },
  '/mcp/{upstream}/sse': { get: mcp('openMcpSse', 'A session of the transport of 2024-11-05', false) },
  '/mcp/{upstream}/messages': { post: mcp('postMcpSse', 'A message for such a session', true) },
  '/terminals/': {
    get: {
      operationId: 'listTerminalServers',
      summary: 'The terminal servers that the caller may use',
      tags: ['data plane'],
      security,
      responses: {
        401: refusal('Nobody is signed in'),
        200: { description: 'Well', content: json(ref('TerminalServers')) },
      },
    },
  },
  '/terminals/{upstream}/api/terminals': {
    get: terminal('listTerminals', "The caller's terminals there"),
    post: terminal('createTerminal', 'A new shell'),
  },
  '/terminals/{upstream}/api/terminals/{id}': {
    get: terminal('getTerminal', 'One of them; as a WebSocket, attaches it (docs/terminals.md)', [
      terminalId,
    ]),
    delete: terminal('deleteTerminal', 'Ends it', [terminalId]),
  },
  '/terminals/{upstream}/{path}': {
    get: { ...forwarded('terminalGet', false), summary: "The server's files, ports and the rest" },
    post: { ...forwarded('terminalPost', true), summary: "The server's files, execute and the rest" },
    put: {
      ...forwarded('terminalPut', true),
      summary: 'What the server has for it, or a program behind proxy',
    },
    patch: {
      ...forwarded('terminalPatch', true),
      summary: 'What the server has for it, or a program behind proxy',
    },
    delete: { ...forwarded('terminalDelete', false), summary: 'Deletes a file (files/delete), and the rest' },
  },
  '/u/whoami/{path}': {
    get: {
      operationId: 'showForwarded',
      summary: 'For admins: what an upstream would have received, tokens masked',
      tags: ['data plane'],
      security,
      parameters: [upstreamPath[1]!, parameter('upstream', 'query', "The upstream's id")],
      responses: { ...refusals(refusal), 200: { description: 'Well', content: json(ref('Forwarded')) } },
    },
  },
  '/auth/check': {
    get: check('checkRequest', [parameter('upstream', 'query', "The upstream's id")]),
  },
  '/auth/check/{upstream}/{path}': { get: check('checkPrefixedRequest', upstreamPath) },
};

const text = { type: 'string' };

export const dataPlaneSchemas = {
  OpenAIError: {
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'object',
        required: ['message', 'type', 'param', 'code'],
        properties: { message: text, type: text, param: { type: 'null' }, code: text, action: text },
        additionalProperties: false,
      },
    },
  },
  ModelList: {
    type: 'object',
    required: ['object', 'data'],
    properties: {
      object: { const: 'list' },
      data: {
        type: 'array',
        items: {
          type: 'object',
          required: ['id', 'object'],
          properties: { id: text, object: { const: 'model' } },
        },
      },
    },
  },
  TerminalServers: {
    type: 'object',
    required: ['terminals'],
    properties: {
      terminals: {
        type: 'array',
        items: {
          type: 'object',
          required: ['id', 'name', 'embedded', 'recording', 'state'],
          properties: {
            id: text,
            name: text,
            embedded: { type: 'boolean' },
            recording: { type: 'boolean' },
            state: { enum: ['ready', 'connect', 'failing', 'denied'] },
          },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  },
  Forwarded: {
    type: 'object',
    required: ['upstream', 'method', 'url', 'headers', 'credential'],
    properties: {
      upstream: text,
      method: text,
      url: text,
      headers: { type: 'array', items: { type: 'array', items: text, minItems: 2, maxItems: 2 } },
      credential: {
        type: ['object', 'null'],
        required: ['grant_id', 'version', 'expires_at'],
        properties: {
          grant_id: text,
          version: { type: 'integer' },
          expires_at: { type: 'string', format: 'date-time' },
        },
      },
    },
    additionalProperties: false,
  },
};
