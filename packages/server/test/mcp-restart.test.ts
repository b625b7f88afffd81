import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import { legacyClient, post, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

const STDIO = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

test('official clients of the legacy era go on with their sessions when the gateway was restarted, and when an agent was', async t => {
  const old = await startLegacyServer(t);
  const modern = await startModernServer(t);
  const gateway = await startMcpGateway(t, { old: { url: old.url }, new: { url: modern.url } });
  const key = await gateway.keyOf('alice');
  const args = ['--gateway', gateway.url, '--name', 'files', '--', process.execPath, STDIO];
  const env = { SALLYPORT_KEY: key, HOME: process.env['HOME'] ?? '/' };
  const agent = startAgent(t, args, env);
  await agent.says(/connected {2}files/);

  const asked: string[] = [];
  const begin = async (path: string) =>
    legacyClient(t, gateway, path, {
      capabilities: { elicitation: {} },
      prepare(client) {
        client.setRequestHandler(ElicitRequestSchema, async () => {
          asked.push(path);
          return { action: 'accept', content: { name: 'Ada' } };
        });
      },
    });
  const sessions = [
    { tool: '', path: '/mcp/old', ...(await begin('/mcp/old')) },
    { tool: '', path: '/mcp/new', ...(await begin('/mcp/new')) },
    { tool: '', path: '/mcp/alice/files', ...(await begin('/mcp/alice/files')) },
    { tool: 'new__', path: '/mcp', ...(await begin('/mcp')) },
  ];
  const second = new Client({ name: 'second', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
  await second.connect(
    new StreamableHTTPClientTransport(new URL('/mcp/new', gateway.url), {
      requestInit: { headers: { authorization: `Bearer ${key}` } },
    }),
  );
  t.after(() => second.close().catch(() => {}));

  async function goOn(): Promise<void> {
    asked.length = 0;
    for (const { client, tool, path } of sessions) {
      const echoed = await client.callTool({ name: `${tool}echo`, arguments: { text: 'hi' } });
      assert.equal(words(echoed), 'hi');
      // Of its own accord the old server asks on the client's own stream, which is the SDK's to open anew.
      if (path === '/mcp/old') continue;
      const answer = await client.callTool({ name: `${tool}ask`, arguments: { times: 1 } });
      assert.match(words(answer), /Ada/);
    }
    assert.deepEqual(
      asked,
      sessions.map(({ path }) => path).filter(path => path !== '/mcp/old'),
    );
    assert.equal(words(await second.callTool({ name: 'echo', arguments: { text: 'ho' } })), 'ho');
  }
  const ids = () => sessions.map(({ transport }) => transport.sessionId);
  const before = ids();
  await goOn();

  await gateway.kill();
  await gateway.restart();
  await agent.says(/(connected {2}files.*){2}/s);
  await goOn();

  await agent.stop();
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  for (const end = performance.now() + 30_000; ; ) {
    const { status, json } = await post(gateway, '/mcp/alice/files', list, { 'mcp-session-id': before[2]! });
    if (status === 502 && /alice\/files is not connected/.test(json.error.message)) break;
    // It was lost a moment ago.
    assert.ok(performance.now() < end, JSON.stringify(json));
  }
  await startAgent(t, args, env).says(/connected {2}files/);
  await goOn();
  assert.deepEqual(ids(), before, 'nobody began anew');

  // It is still nobody else's.
  for (const { path, transport } of sessions) {
    const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
    const stolen = await post(gateway, path, body, { 'mcp-session-id': transport.sessionId! }, 'bob');
    assert.equal(stolen.status, 404, path);
  }
});

test('who goes on with a session hears that the lists may have changed meanwhile', async t => {
  const modern = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: modern.url } });
  const clientInfo = { name: 'by hand', version: '1' };
  const begun = await post(gateway, '/mcp/new', {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
  });
  const headers = { 'mcp-session-id': begun.headers.get('mcp-session-id')! };
  await gateway.kill();
  await gateway.restart();
  const own = async (more: Record<string, string> = {}) => {
    const stream = await fetch(`${gateway.url}/mcp/new`, {
      headers: {
        authorization: `Bearer ${await gateway.keyOf('alice')}`,
        accept: 'text/event-stream',
        ...headers,
        ...more,
      },
    });
    assert.equal(stream.status, 200);
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/id: (\S+)[\s\S]*tools\/list_changed/.test(text)) {
      const { value, done } = await reader.read();
      assert.ok(!done, text);
      text += value;
    }
    await reader.cancel();
    return /id: (\S+)/.exec(text)![1]!;
  };
  const last = await own();
  // An event of a life before is none of this one's: nothing that came since is passed over.
  await gateway.kill();
  await gateway.restart();
  assert.notEqual(await own({ 'last-event-id': last }), last);
});
