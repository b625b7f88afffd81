import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { eventually } from './fixtures/data-plane.ts';
import { type McpGateway, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

async function oldest(gateway: McpGateway, path: string): Promise<Client> {
  const client = new Client({ name: 'oldest', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'accept', content: { name: 'Ada' } }));
  const headers = { authorization: `Bearer ${await gateway.keyOf('alice')}` };
  const transport = new SSEClientTransport(new URL(path, gateway.url), {
    requestInit: { headers },
    eventSourceInit: {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } }),
    },
  });
  await client.connect(transport as Parameters<Client['connect']>[0]);
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
    const client = await oldest(gateway, path);
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
