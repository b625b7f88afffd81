import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import { legacyClient, modernClient, modernRequest, post, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

test('a modern client and a modern server speak through the gateway as if there were none', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, {
    new: { url: server.url, credential: { use: 'key', key: 'upstream-key-0001-abcdef' } },
  });
  const client = await modernClient(t, gateway, '/mcp/new', {
    capabilities: { elicitation: { form: {} } },
    prepare: client =>
      client.setRequestHandler('elicitation/create', async () => ({
        action: 'accept',
        content: { name: 'Ada' },
      })),
  });
  assert.equal(client.getServerVersion()?.name, 'modern');
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'grüße' } })), 'grüße');
  assert.equal(words(await client.callTool({ name: 'ask', arguments: { times: 2 } })), 'Ada Ada');
  const progress: number[] = [];
  await client.callTool(
    { name: 'count', arguments: { to: 3 } },
    { onprogress: at => void progress.push(at.progress) },
  );
  assert.deepEqual(progress, [1, 2, 3]);
  const { tools } = await client.listTools();
  assert.ok(tools.some(tool => tool.name === 'region'));
  assert.equal(words(await client.callTool({ name: 'region', arguments: { where: 'eu' } })), 'in eu');

  const sent = server.seen.find(({ body }) => body.includes('"echo"'))!;
  assert.equal(
    sent.headers.authorization,
    'Bearer upstream-key-0001-abcdef',
    "the upstream's key, not the caller's",
  );
  const calls = await gateway.audit('tool.call');
  assert.deepEqual(
    calls.map(({ target, detail }) => [target, detail['tool'], detail['outcome']]),
    [
      ['new', 'echo', 'ok'],
      ['new', 'ask', 'input_required'],
      ['new', 'ask', 'input_required'],
      ['new', 'ask', 'ok'],
      ['new', 'count', 'ok'],
      ['new', 'region', 'ok'],
    ],
  );
  assert.ok(
    calls.every(({ detail }) => !('arguments' in detail)),
    'arguments are kept only where switched on',
  );
});

test("a modern client's subscription streams, and ends when it leaves", async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/new');
  const changed = Promise.withResolvers<void>();
  client.setNotificationHandler('notifications/tools/list_changed', () => changed.resolve());
  const subscription = await client.listen({ toolsListChanged: true });
  server.notify.toolsChanged();
  await changed.promise;
  await subscription.close();
});

test('a legacy client and a legacy server speak through the gateway as if there were none', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url, recordArguments: true } });
  const { client, transport } = await legacyClient(t, gateway, '/mcp/old', {
    capabilities: { elicitation: {} },
    prepare: client =>
      client.setRequestHandler(ElicitRequestSchema, async () => ({
        action: 'accept',
        content: { name: 'Ada' },
      })),
  });
  assert.ok(!server.sessions.has(transport.sessionId!), "the id is ours, not the server's");
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'hi' } })), 'hi');
  assert.equal(words(await client.callTool({ name: 'ask', arguments: { times: 1 } })), 'accept:Ada');
  assert.equal(words(await client.callTool({ name: 'fail', arguments: {} })), 'no');
  await client.ping();
  await transport.terminateSession();
  assert.equal(server.sessions.size, 0, 'DELETE reached the server');

  const calls = await gateway.audit('tool.call');
  assert.deepEqual(
    calls.map(({ detail }) => [detail['tool'], detail['outcome'], detail['arguments']]),
    [
      ['echo', 'ok', '{"text":"hi"}'],
      ['ask', 'ok', '{"times":1}'],
      ['fail', 'tool_error', '{}'],
    ],
  );
});

test("another principal's session or event does not exist, nor does one of another server", async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url }, other: { url: server.url } });
  const a = await legacyClient(t, gateway, '/mcp/old', { user: 'alice' });
  const session = { 'mcp-session-id': a.transport.sessionId!, 'mcp-protocol-version': '2025-11-25' };
  const ping = { jsonrpc: '2.0', id: 9, method: 'ping' };
  assert.equal((await post(gateway, '/mcp/old', ping, session, 'alice')).status, 200);
  for (const [path, user] of [
    ['/mcp/old', 'bob'],
    ['/mcp/other', 'alice'],
  ] as const) {
    const before = server.seen.length;
    const answer = await post(gateway, path, ping, session, user);
    assert.equal(answer.status, 404);
    assert.equal(answer.json.error.code, -32001);
    assert.equal(server.seen.length, before, 'nothing reached the server');
  }
  const made = await post(
    gateway,
    '/mcp/old',
    ping,
    { ...session, 'mcp-session-id': 'e'.repeat(64) },
    'alice',
  );
  assert.equal(made.status, 404);

  const called = await fetch(`${gateway.url}/mcp/old`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await gateway.keyOf('alice')}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...session,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 3,
      method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'secret of alice' } },
    }),
  });
  const event = /^id: (.*)$/m.exec(await called.text())![1]!;
  const b = await legacyClient(t, gateway, '/mcp/old', { user: 'bob' });
  const stolen = await fetch(`${gateway.url}/mcp/old`, {
    headers: {
      authorization: `Bearer ${await gateway.keyOf('bob')}`,
      accept: 'text/event-stream',
      'mcp-session-id': b.transport.sessionId!,
      'last-event-id': event,
    },
  });
  assert.equal(
    stolen.status,
    404,
    "the server would have replayed Alice's stream: it knows events by their ids alone",
  );
});

test('what goes wrong is said with the codes of the protocol, whatever stands behind', async t => {
  const server = await startModernServer(t);
  const legacy = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url }, old: { url: legacy.url } });
  const program = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
  const args = ['--gateway', gateway.url, '--name', 'tool', '--', process.execPath, program];
  const agent = startAgent(t, args, { SALLYPORT_KEY: await gateway.keyOf('alice') });
  await agent.says(/connected {2}tool/);
  const good = () => modernRequest('tools/call', { name: 'echo', arguments: { text: 'x' } });
  const cases: [string, () => { body: unknown; headers: Record<string, string> }, number, number][] = [
    [
      'a wrong-case _meta',
      () => {
        const { body, headers } = good();
        const { _meta, ...params } = body.params;
        const wrong = Object.fromEntries(
          Object.entries(_meta).map(([key, value]) => [key.toUpperCase(), value]),
        );
        return { headers, body: { ...body, params: { ...params, _meta: wrong } } };
      },
      400,
      -32602,
    ],
    [
      'a _META',
      () => {
        const { body, headers } = good();
        const { _meta, ...params } = body.params;
        return { headers, body: { ...body, params: { ...params, _META: _meta } } };
      },
      400,
      -32602,
    ],
    [
      'no clientCapabilities',
      () => {
        const { body, headers } = good();
        const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
        return { headers, body: { ...body, params: { ...body.params, _meta: meta } } };
      },
      400,
      -32602,
    ],
    [
      'no version header',
      () => {
        const { body, headers } = good();
        const { 'mcp-protocol-version': _, ...rest } = headers;
        return { body, headers: rest };
      },
      400,
      -32020,
    ],
    [
      'no Mcp-Method',
      () => {
        const { body, headers } = good();
        const { 'mcp-method': _, ...rest } = headers;
        return { body, headers: rest };
      },
      400,
      -32020,
    ],
    [
      'no Mcp-Name',
      () => {
        const { body, headers } = good();
        const { 'mcp-name': _, ...rest } = headers;
        return { body, headers: rest };
      },
      400,
      -32020,
    ],
    [
      'another Mcp-Method',
      () => ({ ...good(), headers: { ...good().headers, 'mcp-method': 'tools/list' } }),
      400,
      -32020,
    ],
    [
      'another Mcp-Name',
      () => ({ ...good(), headers: { ...good().headers, 'mcp-name': 'other' } }),
      400,
      -32020,
    ],
    [
      'a broken encoding',
      () => ({ ...good(), headers: { ...good().headers, 'mcp-name': '=?base64?%%?=' } }),
      400,
      -32020,
    ],
    [
      'another version in the header',
      () => ({ ...good(), headers: { ...good().headers, 'mcp-protocol-version': '2027-01-01' } }),
      400,
      -32020,
    ],
    [
      'an unknown version',
      () => {
        const request = modernRequest('tools/list', {
          _meta: { 'io.modelcontextprotocol/protocolVersion': '2027-01-01' },
        });
        return { ...request, headers: { ...request.headers, 'mcp-protocol-version': '2027-01-01' } };
      },
      400,
      -32022,
    ],
    ['an unknown method', () => modernRequest('no/such'), 404, -32601],
    ['two messages', () => ({ headers: good().headers, body: [good().body, good().body] }), 400, -32600],
    ['no JSON', () => ({ headers: good().headers, body: '{"jsonrpc"' }), 400, -32700],
    [
      'no session',
      () => ({ headers: {}, body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } }),
      400,
      -32000,
    ],
    [
      'another origin',
      () => ({ ...good(), headers: { ...good().headers, origin: 'https://evil.example' } }),
      403,
      -32000,
    ],
  ];
  for (const path of ['/mcp/new', '/mcp/old', '/mcp/alice/tool'])
    for (const [what, make, status, code] of cases) {
      const { body, headers } = make();
      const answer = await post(gateway, path, body, headers);
      assert.deepEqual([path, what, answer.status, answer.json?.error?.code], [path, what, status, code]);
    }
  assert.equal(legacy.ran.size, 0, 'nothing of it ran');
  const unknown = await post(gateway, '/mcp/new', good().body, {
    ...good().headers,
    'mcp-name': '=?base64?ZWNobw==?=',
  });
  assert.equal(unknown.status, 200, 'an encoded name is the same name');
  const version = await post(
    gateway,
    '/mcp/new',
    ...(Object.values(cases.find(([what]) => what === 'an unknown version')![1]()) as [
      unknown,
      Record<string, string>,
    ]),
  );
  assert.deepEqual(version.json.error.data.supported, ['2026-07-28']);
  assert.equal(server.ran.get('echo'), 1, 'nothing else ran');

  for (const method of ['GET', 'DELETE']) {
    const answer = await fetch(`${gateway.url}/mcp/new`, {
      method,
      headers: { authorization: `Bearer ${await gateway.keyOf('alice')}`, accept: 'text/event-stream' },
    });
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get('allow'), 'POST');
  }
  assert.equal((await fetch(`${gateway.url}/mcp/new`, { method: 'POST' })).status, 401);
});

test('tools that are denied are neither seen nor called, by either era', async t => {
  const modern = await startModernServer(t);
  const legacy = await startLegacyServer(t);
  const tools = { deny: ['wait'], allow: ['echo', 'w*', 'co*t'] };
  const gateway = await startMcpGateway(t, {
    new: { url: modern.url, tools },
    old: { url: legacy.url, tools },
  });
  const clients = [
    await modernClient(t, gateway, '/mcp/new'),
    (await legacyClient(t, gateway, '/mcp/old')).client,
  ] as const;
  for (const client of clients) {
    const names = (await client.listTools()).tools.map(tool => tool.name);
    assert.deepEqual(names.toSorted(), ['count', 'echo']);
    assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'yes' } })), 'yes');
    await assert.rejects(client.callTool({ name: 'wait', arguments: { tag: 'x' } }), /may not call/);
  }
  assert.equal(modern.ran.get('wait'), undefined);
  assert.equal(legacy.ran.get('wait'), undefined);
  const refused = (await gateway.audit('tool.call')).filter(({ detail }) => detail['outcome'] === 'refused');
  assert.deepEqual(
    refused.map(({ target }) => target),
    ['new', 'old'],
  );
});

test('what a server reads is what the rules for tools were asked about, however it is written', async t => {
  const heard: { type: string | undefined; encoding: string | undefined; body: string }[] = [];
  const listener = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text: string) => (body += text));
    req.on('end', () => {
      const { id, method } = JSON.parse(body) as { id?: number; method: string };
      if (method === 'server/discover') return void res.writeHead(400).end();
      if (method !== 'initialize')
        heard.push({ type: req.headers['content-type'], encoding: req.headers['content-encoding'], body });
      const serverInfo = { name: 'by hand', version: '1' };
      const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo };
      res.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'one' });
      res.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  const gateway = await startMcpGateway(t, {
    old: { url: `http://127.0.0.1:${port}/mcp`, tools: { deny: ['evil'] } },
  });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const opened = await post(gateway, '/mcp/old', { jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const session = {
    'mcp-session-id': opened.headers.get('mcp-session-id')!,
    'mcp-protocol-version': '2025-11-25',
  };
  const said = (text: string, more: Record<string, string> = {}) =>
    post(gateway, '/mcp/old', text, { ...session, ...more });

  const good =
    '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"good","arguments":{"n":12345678901234567890}}}';
  await said(good, { 'content-type': 'application/json; charset=utf-7', 'content-encoding': 'identity' });
  assert.deepEqual(heard.pop(), { type: 'application/json', encoding: undefined, body: good });
  await said('{"jsonrpc":"2.0","id":3,"method":"tools/call","method":"ping","params":{"name":"evil"}}');
  assert.equal(heard.pop()?.body, '{"jsonrpc":"2.0","id":3,"method":"ping","params":{"name":"evil"}}');
  for (const text of [
    '{"jsonrpc":"2.0","id":4,"method":"ping","Method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"good","Name":"evil"}}',
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"good"}}',
  ]) {
    const { status, json } = await said(text);
    assert.deepEqual([text, status, json.error.code], [text, 400, -32600]);
  }
  assert.deepEqual(heard, [], 'none of them got there');
});

test('an MCP server is shown at home with its endpoint', async t => {
  const gateway = await startMcpGateway(t, { new: { url: 'http://127.0.0.1:9/mcp' } });
  const answer = await fetch(`${gateway.url}/api/v1/home`, {
    headers: { authorization: `Bearer ${await gateway.keyOf('alice')}` },
  });
  const { items } = (await answer.json()) as { items: { kind: string; base_url: string }[] };
  assert.deepEqual(
    items.map(({ kind, base_url }) => [kind, base_url]),
    [['mcp', `${gateway.url}/mcp/new`]],
  );
  const away = await post(
    gateway,
    '/mcp/new',
    modernRequest('tools/list').body,
    modernRequest('tools/list').headers,
  );
  assert.equal(away.status, 502);
  assert.match(away.json.error.message, /cannot be reached/);
});
