import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import {
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { legacyClient, type McpGateway, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

const PROGRAM = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

async function oldest(
  t: TestContext,
  gateway: McpGateway,
  path: string,
  prepare: (client: Client) => void = () => {},
): Promise<Client> {
  const client = new Client({ name: 'oldest', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'accept', content: { name: 'Ada' } }));
  prepare(client);
  const headers = { authorization: `Bearer ${await gateway.keyOf('alice')}` };
  const transport = new SSEClientTransport(new URL(path, gateway.url), {
    requestInit: { headers },
    eventSourceInit: {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } }),
    },
  });
  await client.connect(transport as Parameters<Client['connect']>[0]);
  t.after(() => client.close());
  return client;
}

test('a client of the transport of 2024-11-05 uses servers of either era', async t => {
  const legacy = await startLegacyServer(t);
  const modern = await startModernServer(t);
  const gateway = await startMcpGateway(t, { old: { url: legacy.url }, new: { url: modern.url } });
  for (const [path, answer] of [
    ['/mcp/old/sse', 'accept:Ada'],
    ['/mcp/new/sse', 'Ada'],
  ] as const) {
    const client = await oldest(t, gateway, path);
    assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'hi' } })), 'hi');
    assert.equal(words(await client.callTool({ name: 'ask', arguments: { times: 1 } })), answer);
    const leaving = new AbortController();
    const called = client.callTool({ name: 'wait', arguments: { tag: path } }, undefined, {
      signal: leaving.signal,
    });
    const server = path.includes('old') ? legacy : modern;
    await eventually(() => server.ran.get('wait') === 1);
    leaving.abort();
    await assert.rejects(called);
    await eventually(() => server.cancelled.includes(path));
    await client.close();
  }
});

test('a client of the transport of 2024-11-05 has all servers at once, and hears of their changes', async t => {
  const legacy = await startLegacyServer(t);
  const modern = await startModernServer(t);
  const gateway = await startMcpGateway(t, { old: { url: legacy.url }, new: { url: modern.url } });
  let changes = 0;
  const updated: string[] = [];
  const client = await oldest(t, gateway, '/mcp/sse', one => {
    one.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
    one.setNotificationHandler(
      ResourceUpdatedNotificationSchema,
      ({ params }) => void updated.push(params.uri),
    );
  });
  assert.equal(client.getServerVersion()?.name, 'sallyport');
  // Where steps and result come in one piece, this client forgets the call before it looks at its steps.
  const steps: unknown[] = [];
  const { transport } = client;
  const heard = transport!.onmessage;
  transport!.onmessage = message => {
    if ('method' in message && message.method === 'notifications/progress')
      steps.push(message.params?.['progress']);
    heard?.(message);
  };
  const names = (await client.listTools()).tools.map(({ name }) => name);
  for (const [server, answer] of [
    ['old', 'accept:Ada'],
    ['new', 'Ada'],
  ] as const) {
    assert.ok(names.includes(`${server}__echo`), `${names}`);
    const call = (name: string, args: Record<string, unknown>) =>
      client.callTool({ name: `${server}__${name}`, arguments: args }, undefined, { onprogress() {} });
    assert.equal(words(await call('echo', { text: server })), server);
    assert.equal(words(await call('ask', { times: 1 })), answer);
    steps.length = 0;
    await call('count', { to: 3 });
    assert.deepEqual(steps, [1, 2, 3]);
    const uri = `sallyport:${server}/note://one`;
    assert.deepEqual((await client.readResource({ uri })).contents, [{ uri, text: 'a note' }]);
    const leaving = new AbortController();
    const called = client.callTool({ name: `${server}__wait`, arguments: { tag: 'all' } }, undefined, {
      signal: leaving.signal,
    });
    const { ran, cancelled } = server === 'old' ? legacy : modern;
    await eventually(() => ran.get('wait') === 1);
    leaving.abort();
    await assert.rejects(called);
    await eventually(() => cancelled.includes('all'));
  }
  modern.notify.toolsChanged();
  await eventually(() => changes > 0);
  await client.subscribeResource({ uri: 'sallyport:old/note://one' });
  for (const { server } of legacy.sessions.values())
    await server.server.sendResourceUpdated({ uri: 'note://one' });
  await eventually(() => updated.length > 0);
  assert.deepEqual(updated, ['sallyport:old/note://one']);
  await client.close();
  // The stream was the session, and with it went what it held at the servers.
  await eventually(() => legacy.subscribed.size === 0);
});

test('the plain name of a tunnel leads to its program by either transport', async t => {
  const gateway = await startMcpGateway(t, {});
  const key = await gateway.keyOf('alice');
  const args = ['--gateway', gateway.url, '--name', 'tool', '--', process.execPath, PROGRAM];
  await startAgent(t, args, { SALLYPORT_KEY: key }).says(/connected {2}tool/);
  const headers = {
    authorization: `Bearer ${await gateway.keyOf('root')}`,
    'content-type': 'application/json',
  };
  const tunnels = await (await fetch(`${gateway.url}/api/v1/tunnels`, { headers })).json();
  const [{ id }] = (tunnels as { items: [{ id: string }] }).items;
  const changed = await fetch(`${gateway.url}/api/v1/tunnels/${id}`, {
    method: 'PATCH',
    headers,
    body: JSON.stringify({ alias: 'plain' }),
  });
  assert.equal(changed.status, 200);
  const old = await oldest(t, gateway, '/mcp/plain/sse');
  assert.equal(words(await old.callTool({ name: 'echo', arguments: { text: 'a' } })), 'a');
  await old.close();
  const { client } = await legacyClient(t, gateway, '/mcp/plain');
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'b' } })), 'b');
});

test("messages for another's stream are 404, and so are those for one that is over", async t => {
  const legacy = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: legacy.url } });
  const leaving = new AbortController();
  const as = async (user: string) => ({ authorization: `Bearer ${await gateway.keyOf(user)}` });
  const stream = await fetch(`${gateway.url}/mcp/old/sse`, {
    headers: await as('alice'),
    signal: leaving.signal,
  });
  const reader = stream.body!.getReader();
  const first = Buffer.from((await reader.read()).value!).toString();
  const endpoint = /^data: (.*)$/m.exec(first)![1]!;
  const send = async (user: string) => {
    const { status } = await fetch(gateway.url + endpoint, {
      method: 'POST',
      headers: { ...(await as(user)), 'content-type': 'application/json' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
      }),
    });
    return status;
  };
  assert.equal(await send('bob'), 404);
  assert.equal(await send('alice'), 202);
  leaving.abort();
  const end = performance.now() + 5_000;
  while ((await send('alice')) !== 404) assert.ok(performance.now() < end);
});
