import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { ElicitRequestSchema, UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
import {
  legacyClient,
  type McpGateway,
  modernClient,
  modernRequest,
  post,
  startMcpGateway,
} from './fixtures/mcp.ts';
import { serveSessions, startModernServer } from './fixtures/mcp-servers.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
const PAGE = { url: 'https://pay.example/1', message: 'Pay first, please.', elicitationId: 'pay-1' };
let gateway: McpGateway;
let old: Awaited<ReturnType<typeof serveSessions>>;
let modern: Awaited<ReturnType<typeof startModernServer>>;
let tried = 0;
const ending: (() => unknown)[] = [];
const house: Pick<TestContext, 'after'> = { after: end => void ending.push(end as () => unknown) };

/** A legacy server with a tool that works only when somebody has been elsewhere. */
function build(): McpServer {
  const server = new McpServer({ name: 'shop', version: '1.0.0' }, { capabilities: { tools: {} } });
  let visited = false;
  server.registerTool('buy', {}, () => {
    tried += 1;
    if (visited) return { content: [{ type: 'text', text: 'bought' }] };
    visited = true;
    throw new UrlElicitationRequiredError([{ mode: 'url', ...PAGE }]);
  });
  return server;
}

before(async () => {
  old = await serveSessions(house, build as never);
  modern = await startModernServer(house);
  gateway = await startMcpGateway(house, { old: { url: old.url }, new: { url: modern.url } });
});
after(async () => {
  for (const end of ending.reverse()) await end();
});

test('a modern client is sent to the URL that a legacy server requires, and calls again', async t => {
  tried = 0;
  const asked: unknown[] = [];
  const client = await modernClient(t, gateway, '/mcp/old', {
    capabilities: { elicitation: { url: {} } },
    prepare: client =>
      client.setRequestHandler('elicitation/create', async ({ params }) => {
        asked.push([params.mode, 'url' in params ? params.url : null]);
        return { action: 'accept' };
      }),
  });
  assert.equal(words(await client.callTool({ name: 'buy', arguments: {} })), 'bought');
  assert.deepEqual(asked, [['url', PAGE.url]]);
  assert.equal(tried, 2, 'once refused by the server, once by the word of the client');
});

test('who does not want to go there gets an error, and the server is not asked again', async t => {
  tried = 0;
  const client = await modernClient(t, gateway, '/mcp/old', {
    user: 'bob',
    capabilities: { elicitation: { url: {} } },
    prepare: client => client.setRequestHandler('elicitation/create', async () => ({ action: 'decline' })),
  });
  await assert.rejects(client.callTool({ name: 'buy', arguments: {} }), /declined/);
  assert.equal(tried, 1);
});

test('a client that cannot be sent anywhere hears which capability it lacks', async () => {
  const { headers, body } = modernRequest('tools/call', { name: 'buy', arguments: {} });
  const { status, json } = await post(gateway, '/mcp/old', body, headers, 'carol');
  assert.deepEqual([status, json.error.code], [400, -32021]);
  assert.deepEqual(json.error.data, { requiredCapabilities: { elicitation: { url: {} } } });
});

test('the trace of a call goes on at the server, across the bridge in either direction', async t => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
  const { headers, body } = modernRequest('tools/call', { name: 'buy', arguments: {} });
  await post(gateway, '/mcp/old', body, { ...headers, traceparent }, 'dora');
  const { transport } = await legacyClient(t, gateway, '/mcp/new', {
    prepare: client => client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'cancel' })),
    capabilities: { elicitation: {} },
  });
  const call = {
    jsonrpc: '2.0',
    id: 9,
    method: 'tools/call',
    params: { name: 'echo', arguments: { text: 'traced' } },
  };
  await post(gateway, '/mcp/new', call, { 'mcp-session-id': transport.sessionId!, traceparent });
  for (const [seen, word] of [
    [old.seen, '"buy"'],
    [modern.seen, '"traced"'],
  ] as const) {
    const sent = seen.findLast(one => one.body.includes(word))!;
    assert.match(String(sent.headers['traceparent']), new RegExp(trace), word);
    assert.match(JSON.parse(sent.body).params._meta.traceparent, new RegExp(trace), word);
  }
});
