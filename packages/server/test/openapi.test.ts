import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { stringify } from 'yaml';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config/config.ts';
import { createLog } from '../src/platform/log.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import { createBrowser } from './fixtures/browser.ts';
import { providerConfig } from './fixtures/gateway.ts';
import { type Described, readDocument } from './fixtures/openapi.ts';
import { freePort } from './fixtures/ports.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const PROXY_SECRET = 'a-proxy-secret-of-the-tests-0123456789';

/** A request for one operation, and the status that the document has to name. */
interface Example {
  readonly status: number;
  /** Values for the path's and the query's names. */
  readonly path?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly json?: unknown;
  readonly form?: Record<string, string>;
  readonly headers?: Record<string, string>;
  /** Who asks; default: an admin's session. */
  readonly as?: 'admin' | 'nobody' | 'alice';
}

/** A whole gateway in this process, with every route that its router was given. */
async function ground(t: TestContext) {
  const provider = await startProvider({ accounts: { alice: { groups: ['engineering'] } } });
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-openapi-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const port = await freePort();
  const file = stringify({
    listen: `127.0.0.1:${port}`,
    publicUrl: `http://localhost:${port}`,
    store: `sqlite:${join(directory, 'sallyport.db')}`,
    dataDir: directory,
    forwardAuthSecret: PROXY_SECRET,
    localAccounts: true,
    providers: [providerConfig(provider)],
    upstreams: [
      {
        id: 'llm',
        kind: 'openai',
        url: `${upstream.url}/v1`,
        models: ['corp-*'],
        credential: { use: 'sign-in', release: true },
        access: { everyone: true },
      },
      { id: 'web', kind: 'http', url: upstream.url, access: { everyone: true } },
    ],
  });

  const routes: { method: string; url: string; hidden: boolean }[] = [];
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', route => {
      for (const method of [route.method].flat())
        routes.push({ method, url: route.url, hidden: (route.schema as { hide?: boolean })?.hide === true });
    });
  };
  subscribe('fastify.initialization', watch);
  const config = loadConfig({ env: {}, cwd: directory, readFile: () => file });
  const app = await createApp({ config, runtime: systemRuntime, log: createLog({ level: 'silent' }) });
  unsubscribe('fastify.initialization', watch);
  t.after(() => app[Symbol.asyncDispose]());
  const link = await app.adminLink();
  await app.start();
  const url = `http://localhost:${port}`;

  const root = createBrowser();
  await root.get(link!);
  const alice = createBrowser();
  await provider.signIn(alice, `${url}/auth/corp/login`, 'alice');
  const cookies = {
    admin: `oauth_session_id=${root.cookie(url, 'oauth_session_id')}`,
    alice: `oauth_session_id=${alice.cookie(url, 'oauth_session_id')}`,
  };
  const as = async (who: 'admin' | 'alice', path: string) =>
    (await (await fetch(url + path, { headers: { cookie: cookies[who] } })).json()) as {
      items: { id: string }[];
      user: { id: string };
    };
  const document = (await (await fetch(`${url}/api/openapi.json`)).json()) as object;
  return { url, routes, cookies, as, document, ...(await readDocument(document)) };
}

type Ground = Awaited<ReturnType<typeof ground>>;

/** What every operation is called with, by its id. They run in the document's order, `endSession` and the like on ids that are nobody's. */
async function examples({ as }: Ground): Promise<Record<string, readonly Example[]>> {
  const { user } = await as('alice', '/api/v1/me');
  const model = { model: 'corp-large', messages: [] };
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'a test', version: '1' },
    },
  };
  const spareProvider = {
    id: 'spare',
    name: 'Spare SSO',
    issuer: 'https://login.spare.example',
    client_id: 'sallyport',
  };
  const spare = {
    id: 'spare',
    name: 'Spare',
    kind: 'http',
    url: 'http://127.0.0.1:9/x',
    credential: { use: 'none' },
    access: { everyone: true },
  };
  const forwarded = { path: { upstream: 'web', path: 'x' } };
  const proxy = { 'x-sallyport-proxy-secret': PROXY_SECRET, 'x-forwarded-method': 'GET' };
  const provider = { provider: 'corp' };
  const adminOnly: Example = { status: 403, as: 'alice' };
  const signedIn: Example = { status: 401, as: 'nobody' };
  return {
    getDocument: [{ status: 200, as: 'nobody' }],
    getLiveness: [{ status: 200, as: 'nobody' }],
    getReadiness: [{ status: 200, as: 'nobody' }],
    getMetrics: [{ status: 200 }, adminOnly],

    getMe: [{ status: 200 }, { status: 200, as: 'alice' }, signedIn],
    listSessions: [{ status: 200 }, { ...adminOnly, query: { user: 'usr_other' } }],
    endSession: [{ status: 404, path: { id: 'ses_none' } }],
    listKeys: [{ status: 200 }, signedIn],
    createKey: [
      { status: 201, json: { name: 'laptop', expires_in: 3600 }, as: 'alice' },
      { status: 400, json: {} },
      { status: 403, json: { name: 'x', admin: true }, as: 'alice' },
    ],
    revokeKey: [{ status: 204, path: { id: (await as('admin', '/api/v1/keys')).items[0]!.id } }],
    getPassword: [{ status: 200 }, { status: 200, as: 'alice' }],
    setPassword: [
      { status: 409, json: { password: 'four quiet green owls', email: 'x@corp.example' }, as: 'alice' },
      { status: 204, json: { password: 'four quiet green owls', email: 'root@corp.example' } },
      { status: 403, json: { password: 'seven loud blue herons', current_password: 'another' } },
      { status: 400, json: {} },
    ],
    listGrants: [{ status: 200, as: 'alice' }],
    endGrant: [{ status: 404, path: { id: 'grt_none' } }],
    getToken: [
      { status: 200, json: { service: 'llm' }, as: 'alice' },
      { status: 404, json: { service: 'none' }, as: 'alice' },
      { status: 403, json: { service: 'web' }, as: 'alice' },
      { status: 413, json: { service: 'x'.repeat(300_000) } },
    ],
    streamEvents: [{ status: 200 }, signedIn],

    listMyUpstreams: [{ status: 200, as: 'alice' }],
    beginAgentLogin: [{ status: 201, json: { name: 'laptop' }, as: 'nobody' }],
    pollAgentLogin: [{ status: 400, json: { device_code: 'none' }, as: 'nobody' }],
    findAgentLogin: [{ status: 404, json: { user_code: 'BCDF-GHJK' } }],
    answerAgentLogin: [{ status: 404, json: { user_code: 'BCDF-GHJK', approve: true } }],
    listTunnels: [{ status: 200 }, { status: 401, as: 'nobody' }],
    countTunnelConsequences: [{ status: 404, path: { id: 'tun_none' } }],
    changeTunnel: [{ status: 404, path: { id: 'tun_none' }, json: {} }],
    removeTunnel: [{ status: 404, path: { id: 'tun_none' } }],
    listAgentSessions: [{ status: 200 }],
    streamAgentSession: [{ status: 404, path: { id: 'rps_none' } }],
    disconnectAgentSession: [{ status: 404, path: { id: 'rps_none' } }],
    sendToAgentSession: [{ status: 404, path: { id: 'rps_none' }, json: { jsonrpc: '2.0', method: 'ping' } }],
    listUpstreams: [{ status: 200 }, adminOnly],
    createUpstream: [
      { status: 201, json: spare },
      { status: 409, json: spare },
      { status: 400, json: { ...spare, kind: 'none' } },
    ],
    replaceUpstream: [
      { status: 200, path: { id: 'spare' }, json: { ...spare, name: 'Renamed' } },
      { status: 409, path: { id: 'web' }, json: { ...spare, id: 'web' } },
    ],
    countUpstreamConsequences: [{ status: 200, path: { id: 'llm' } }],
    removeUpstream: [
      { status: 204, path: { id: 'spare' } },
      { status: 404, path: { id: 'none' } },
    ],
    testUpstream: [
      { status: 200, json: { id: 'web' } },
      { status: 404, json: { id: 'none' } },
    ],

    listUsers: [{ status: 200 }, adminOnly],
    updateUser: [
      { status: 200, path: { id: user.id }, json: { disabled: false } },
      { status: 404, path: { id: 'usr_none' }, json: { disabled: true } },
      { status: 409, path: { id: (await as('admin', '/api/v1/me')).user.id }, json: { disabled: true } },
    ],
    removeUser: [
      { status: 404, path: { id: 'usr_none' } },
      { status: 409, path: { id: (await as('admin', '/api/v1/me')).user.id } },
      { ...adminOnly, path: { id: user.id } },
    ],
    countConsequences: [{ status: 200, path: { id: user.id } }],
    createPasswordLink: [
      { status: 201, path: { id: (await as('admin', '/api/v1/me')).user.id } },
      { status: 404, path: { id: user.id } },
      { ...adminOnly, path: { id: user.id } },
    ],
    listInvitations: [{ status: 200 }, adminOnly],
    createInvitation: [
      { status: 201, json: { email: 'bo@corp.example', groups: ['engineering'] } },
      { status: 409, json: { email: 'alice@corp.example' } },
      { status: 400, json: { email: 'nobody' } },
    ],
    revokeInvitation: [{ status: 404, path: { id: 'inv_none' } }],
    listProviders: [{ status: 200 }],
    createProvider: [
      { status: 201, json: spareProvider },
      { status: 409, json: { ...spareProvider, id: 'corp' } },
    ],
    replaceProvider: [
      { status: 200, path: { id: 'spare' }, json: { ...spareProvider, name: 'Renamed' } },
      { status: 409, path: { id: 'corp' }, json: { ...spareProvider, id: 'corp' } },
    ],
    countProviderConsequences: [{ status: 200, path: { id: 'corp' } }],
    removeProvider: [
      { status: 204, path: { id: 'spare' } },
      { status: 404, path: { id: 'none' } },
    ],
    testProvider: [{ status: 200, json: { id: 'corp' } }],
    listAuditEvents: [{ status: 200 }, { status: 400, query: { limit: '0' } }],
    exportAudit: [{ status: 200 }, adminOnly],
    getHealth: [{ status: 200 }],

    callAllMcp: [
      { status: 200, json: initialize },
      { status: 400, json: {} },
      { status: 401, json: initialize, as: 'nobody' },
    ],
    streamAllMcp: [{ status: 405 }],
    endAllMcp: [{ status: 405 }],
    openAllMcpSse: [{ status: 200 }],
    postAllMcpSse: [{ status: 404, json: {} }],
    callMcp: [{ status: 404, path: { upstream: 'none' }, json: {} }],
    openMcpSse: [{ status: 404, path: { upstream: 'none' } }],
    postMcpSse: [{ status: 404, path: { upstream: 'none' }, json: {} }],
    streamMcp: [{ status: 404, path: { upstream: 'none' } }],
    endMcp: [{ status: 404, path: { upstream: 'none' } }],
    listTerminalServers: [{ status: 200 }, { status: 401, as: 'nobody' }],
    listRecordings: [{ status: 200 }, { status: 401, as: 'nobody' }],
    getRecording: [{ status: 404, path: { id: 'rec_none' } }],
    deleteRecording: [{ status: 404, path: { id: 'rec_none' } }],
    listTerminals: [{ status: 404, path: { upstream: 'none' } }],
    createTerminal: [{ status: 404, path: { upstream: 'none' } }],
    getTerminal: [{ status: 404, path: { upstream: 'none', id: 'none' } }],
    deleteTerminal: [{ status: 404, path: { upstream: 'none', id: 'none' } }],
    terminalGet: [{ status: 404, path: { upstream: 'none', path: 'health' } }],
    terminalPost: [{ status: 404, path: { upstream: 'none', path: 'execute' }, json: {} }],
    terminalPut: [{ status: 404, path: { upstream: 'none', path: 'proxy/8000/x' }, json: {} }],
    terminalPatch: [{ status: 404, path: { upstream: 'none', path: 'proxy/8000/x' }, json: {} }],
    terminalDelete: [{ status: 404, path: { upstream: 'none', path: 'files/delete' } }],
    listSignInOptions: [{ status: 200, as: 'nobody' }],
    signInLocally: [
      {
        status: 204,
        json: { email: 'root@corp.example', password: 'four quiet green owls' },
        as: 'nobody',
      },
      { status: 401, json: { email: 'root@corp.example', password: 'another' }, as: 'nobody' },
      {
        status: 403,
        json: { email: 'root@corp.example', password: 'another' },
        headers: { origin: 'http://evil.example' },
      },
    ],
    openInvitation: [{ status: 410, json: { secret: 'none' }, as: 'nobody' }],
    acceptInvitation: [{ status: 410, json: { secret: 'none', password: 'another' }, as: 'nobody' }],
    chooseProvider: [{ status: 303, as: 'nobody' }],
    useAdminLink: [{ status: 410, query: { token: 'used' }, as: 'nobody' }],
    signOut: [
      { status: 401, as: 'nobody' },
      { status: 403, headers: { origin: 'http://evil.example' } },
    ],
    returnToPort: [
      { status: 303, query: { to: 'http://localhost:1/x' } },
      { status: 400, query: { to: 'http://evil.example/' } },
    ],
    endSessionsByProvider: [{ status: 400, path: provider, form: { logout_token: 'none' }, as: 'nobody' }],
    beginSignIn: [
      { status: 303, path: provider, as: 'nobody' },
      { status: 404, path: { provider: 'none' }, as: 'nobody' },
    ],
    beginSignInAlias: [{ status: 303, path: provider, as: 'nobody' }],
    endSignIn: [{ status: 400, path: provider, query: { state: 'x', code: 'y' }, as: 'nobody' }],
    endSignInAlias: [{ status: 400, path: provider, query: { state: 'x', code: 'y' }, as: 'nobody' }],
    endSignInByForm: [{ status: 400, path: provider, form: { state: 'x', code: 'y' }, as: 'nobody' }],
    endSignInByFormAlias: [{ status: 400, path: provider, form: { state: 'x', code: 'y' }, as: 'nobody' }],

    listModels: [{ status: 200, as: 'alice' }, signedIn],
    createChatCompletion: [
      { status: 200, json: model, as: 'alice' },
      { status: 404, json: { ...model, model: 'other' }, as: 'alice' },
      { status: 400, json: { model: 1 }, as: 'alice' },
    ],
    createResponse: [{ status: 200, json: model, as: 'alice' }],
    createEmbedding: [{ status: 200, json: model, as: 'alice' }],
    callOpenai: [{ status: 200, path: { path: 'moderations' }, json: model, as: 'alice' }],
    getOpenai: [
      { status: 200, path: { path: 'responses/resp_1' }, as: 'alice' },
      { status: 401, path: { path: 'files' }, as: 'nobody' },
    ],
    deleteOpenai: [{ status: 200, path: { path: 'responses/resp_1' }, as: 'alice' }],
    forwardGet: [
      { status: 200, ...forwarded },
      { status: 404, path: { upstream: 'none', path: 'x' } },
      { status: 401, path: { upstream: 'llm', path: 'x' } },
    ],
    forwardPost: [{ status: 200, ...forwarded, json: {} }],
    forwardPut: [{ status: 200, ...forwarded, json: {} }],
    forwardPatch: [{ status: 200, ...forwarded, json: {} }],
    forwardDelete: [{ status: 200, ...forwarded }],
    showForwarded: [
      { status: 200, path: { path: 'x' }, query: { upstream: 'web' } },
      { ...adminOnly, path: { path: 'x' }, query: { upstream: 'web' } },
    ],
    checkRequest: [
      { status: 200, query: { upstream: 'llm' }, headers: proxy, as: 'alice' },
      { status: 403, query: { upstream: 'llm' }, as: 'alice' },
      { status: 401, query: { upstream: 'llm' }, headers: proxy, as: 'nobody' },
    ],
    checkPrefixedRequest: [{ status: 200, ...forwarded, headers: proxy }],
  };
}

async function call({ url, cookies }: Ground, { method, path }: Described, example: Example) {
  const { as = 'admin', json, form, query } = example;
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => example.path?.[name] ?? 'x');
  const over = new AbortController();
  const answer = await fetch(
    `${url}${filled}${query === undefined ? '' : `?${new URLSearchParams(query)}`}`,
    {
      method,
      redirect: 'manual',
      signal: AbortSignal.any([over.signal, AbortSignal.timeout(10_000)]),
      headers: {
        ...(as === 'nobody' ? {} : { cookie: cookies[as] }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...example.headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    },
  );
  const type = answer.headers.get('content-type');
  // A stream lasts; that it began is its answer.
  const body = type?.startsWith('text/event-stream') ? '' : await answer.text();
  over.abort();
  return { status: answer.status, type, body };
}

test('/api/openapi.json is a valid document, and every operation of it answers as it says', async t => {
  const gateway = await ground(t);
  await fetch(`${gateway.url}/api/v1/keys`, {
    method: 'POST',
    headers: { cookie: gateway.cookies.admin, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'to be revoked' }),
  });
  const table = await examples(gateway);
  const ids = gateway.operations.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'an id names one operation');
  assert.deepEqual(
    Object.keys(table).sort(),
    ids.toSorted(),
    'every operation has an example, and every example its operation',
  );
  const wrong: string[] = [];
  for (const described of gateway.operations) {
    for (const example of table[described.id]!) {
      const came = await call(gateway, described, example);
      if (came.status !== example.status)
        wrong.push(
          `${described.id}: ${example.status} expected, ${came.status} came: ${came.body.slice(0, 200)}`,
        );
      const undescribed = gateway.undescribed(described, came);
      if (undescribed !== null) wrong.push(`${described.id}: ${undescribed}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('what the gateway serves is in the document, and whatever is in it says what it is for', async t => {
  const { routes, operations } = await ground(t);
  const listed = new Set(operations.map(({ method, path }) => `${method} ${path}`));
  const served = routes.filter(({ method }) => method !== 'HEAD');
  const missing = served
    .filter(({ hidden }) => !hidden)
    .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`)
    .filter(name => !listed.has(name));
  assert.deepEqual(missing, []);
  // Pages and files of the console, and nothing else.
  const hidden = served.filter(route => route.hidden);
  assert.deepEqual(
    hidden.filter(
      ({ method, url }) => method !== 'GET' || /^\/(api|auth|oauth|healthz|readyz|metrics)/.test(url),
    ),
    [],
  );
  for (const { id, method, path, operation } of operations) {
    assert.match(id ?? '', /^[a-z]\w+$/, `${method} ${path} has an id`);
    assert.ok(operation.summary, id);
    assert.equal(operation.tags.length, 1, id);
    assert.ok(Array.isArray(operation.security), id);
  }
});
