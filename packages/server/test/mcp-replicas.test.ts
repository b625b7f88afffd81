import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startAgent } from './fixtures/agent.ts';
import { legacyClient, modernRequest, post, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';
import { postgresUrl } from './fixtures/postgres.ts';

const STDIO = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
const echo = (name = 'echo') => ({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name, arguments: { text: 'hi' } },
});
const CONTENT = [{ type: 'text', text: 'hi' }];

test('what one replica has given a client, another one takes, or says what to do', async t => {
  const store = await postgresUrl(t);
  if (store === null) return;
  const old = await startLegacyServer(t);
  const modern = await startModernServer(t);
  const upstreams = { old: { url: old.url }, new: { url: modern.url } };
  const one = await startMcpGateway(t, upstreams, { store });
  const other = await startMcpGateway(t, upstreams, { store, directory: one.directory });
  const key = await one.keyOf('alice');
  const there = { ...other, keyOf: async () => key };
  const agent = startAgent(t, ['--gateway', one.url, '--name', 'files', '--', process.execPath, STDIO], {
    SALLYPORT_KEY: key,
    HOME: process.env['HOME'] ?? '/',
  });
  const session = async (path: string) => {
    const { transport } = await legacyClient(t, one, path);
    return { 'mcp-session-id': transport.sessionId!, 'mcp-protocol-version': '2025-06-18' };
  };

  // The server's own session: everything that the gateway knows of it is in its id.
  const passed = await post(there, '/mcp/old', echo(), await session('/mcp/old'));
  assert.deepEqual([passed.status, passed.json.result['content']], [200, CONTENT]);

  // Of a session that the gateway keeps, all that the server need know is in its id: another replica takes it up.
  for (const [path, tool] of [
    ['/mcp/new', 'echo'],
    ['/mcp', 'old__echo'],
  ] as const) {
    const headers = await session(path);
    for (const replica of [one, there, one]) {
      const called = await post(replica, path, echo(tool), headers);
      assert.deepEqual([called.status, called.json.result['content']], [200, CONTENT], path);
    }
    // An answer to a question that this replica did not ask is none of its own.
    const stray = await post(there, path, { jsonrpc: '2.0', id: 's1', result: {} }, await session(path));
    assert.deepEqual([stray.status, stray.json.error.code], [404, -32001], path);
  }

  // A call that waits for its client waits where it was made.
  const params = { name: 'ask', arguments: { times: 1 } };
  const meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
  const asked = modernRequest('tools/call', { ...params, _meta: meta });
  const { requestState, inputRequests } = (await post(one, '/mcp/old', asked.body, asked.headers)).json
    .result as { requestState: string; inputRequests: object };
  const [question] = Object.keys(inputRequests);
  const inputResponses = { [question!]: { action: 'accept', content: { name: 'Ada' } } };
  const again = modernRequest('tools/call', { ...params, requestState, inputResponses, _meta: meta }, 2);
  const elsewhere = await post(there, '/mcp/old', again.body, again.headers);
  assert.equal(elsewhere.status, 400);
  assert.match(elsewhere.json.error.message, /make the call again/);
  const resumed = await post(one, '/mcp/old', again.body, again.headers);
  assert.deepEqual(resumed.json.result['content'], [{ type: 'text', text: 'accept:Ada' }]);
  assert.equal(old.ran.get('ask'), 1, 'it ran once');

  // A program behind a tunnel is reached where its agent is; elsewhere that is said, and nobody waits for it.
  await agent.says(/connected {2}files/);
  const program = await session('/mcp/alice/files');
  assert.equal((await post(one, '/mcp/alice/files', echo(), program)).status, 200);
  const away = await post(there, '/mcp/alice/files', echo(), program);
  assert.ok([404, 502].includes(away.status), String(away.status));
  assert.ok(away.json.error.message.length > 0);
});
