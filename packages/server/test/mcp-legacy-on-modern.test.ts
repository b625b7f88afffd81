import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { eventually } from './fixtures/data-plane.ts';
import { legacyClient, modernClient, post, startMcpGateway } from './fixtures/mcp.ts';
import { startModernServer } from './fixtures/mcp-servers.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

test('a legacy client uses a modern server: tools, prompts, resources, parameters in headers', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const { client, transport } = await legacyClient(t, gateway, '/mcp/new');
  assert.equal(client.getServerVersion()?.name, 'modern');
  assert.equal(client.getInstructions(), 'Of the new school.');
  await client.ping();
  assert.ok((await client.listTools()).tools.some(tool => tool.name === 'region'));
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'grüße' } })), 'grüße');
  assert.equal(words(await client.callTool({ name: 'region', arguments: { where: 'zürich' } })), 'in zürich');
  assert.match(
    JSON.stringify(await client.getPrompt({ name: 'greet', arguments: { who: 'Ada' } })),
    /Hello Ada/,
  );
  const read = await client.readResource({ uri: 'note://one' });
  assert.deepEqual(read, { contents: [{ uri: 'note://one', text: 'a note' }] });
  await assert.rejects(
    client.callTool({ name: 'none', arguments: {} }).then(answer => {
      if (answer.isError) throw new Error();
    }),
  );
  await transport.terminateSession();
  const gone = await post(
    gateway,
    '/mcp/new',
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { 'mcp-session-id': transport.sessionId ?? '' },
  );
  assert.ok(gone.status === 404 || gone.status === 400);
  const calls = await gateway.audit('tool.call');
  assert.deepEqual(
    calls.slice(0, 2).map(({ detail }) => [detail['tool'], detail['outcome']]),
    [
      ['echo', 'ok'],
      ['region', 'ok'],
    ],
  );
});

test('a session that a parameter-in-header tool was never listed in calls it all the same', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const { client } = await legacyClient(t, gateway, '/mcp/new');
  assert.equal(words(await client.callTool({ name: 'region', arguments: { where: 'eu' } })), 'in eu');
});

test('input_required becomes a question on the stream, and the answer a retry', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  let asked = 0;
  const { client } = await legacyClient(t, gateway, '/mcp/new', {
    capabilities: { elicitation: {} },
    prepare: client =>
      client.setRequestHandler(ElicitRequestSchema, async () => {
        asked += 1;
        return { action: 'accept', content: { name: `Ada${asked}` } };
      }),
  });
  assert.equal(words(await client.callTool({ name: 'ask', arguments: { times: 3 } })), 'Ada1 Ada2 Ada3');
  assert.equal(server.ran.get('ask'), 4, 'and not once more than the server asked');
});

test('a server that needs what the client cannot do says so to the client', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const { client } = await legacyClient(t, gateway, '/mcp/new');
  await assert.rejects(client.callTool({ name: 'ask', arguments: { times: 1 } }));
});

test('progress, logs from the level that was set, and cancellation cross', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const logged: unknown[] = [];
  const { client } = await legacyClient(t, gateway, '/mcp/new', {
    prepare: client =>
      client.setNotificationHandler(
        LoggingMessageNotificationSchema,
        ({ params }) => void logged.push(params.data),
      ),
  });
  const progress: number[] = [];
  const count = (to: number) =>
    client.callTool({ name: 'count', arguments: { to } }, undefined, {
      onprogress: at => void progress.push(at.progress),
    });
  assert.equal(words(await count(3)), 'counted to 3');
  assert.deepEqual([progress, logged], [[1, 2, 3], []]);
  await client.setLoggingLevel('info');
  await count(2);
  assert.deepEqual(logged, ['at 1', 'at 2']);

  const leaving = new AbortController();
  const called = client.callTool({ name: 'wait', arguments: { tag: 'one' } }, undefined, {
    signal: leaving.signal,
  });
  await eventually(() => server.ran.get('wait') === 1);
  leaving.abort();
  await assert.rejects(called);
  await eventually(() => server.cancelled.includes('one'));
});

test("list changes and the resources that were asked for reach the session's own stream", async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const heard: string[] = [];
  const { client } = await legacyClient(t, gateway, '/mcp/new', {
    prepare: client => {
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.push('tools'));
      client.setNotificationHandler(
        ResourceUpdatedNotificationSchema,
        ({ params }) => void heard.push(params.uri),
      );
    },
  });
  const listens = () => server.seen.filter(({ body }) => body.includes('"subscriptions/listen"')).length;
  await eventually(() => listens() === 1);
  const taken = Promise.withResolvers<void>();
  server.held.listening = taken.promise;
  let subscribed = false;
  const subscribing = client.subscribeResource({ uri: 'note://one' }).finally(() => (subscribed = true));
  await eventually(() => listens() === 2);
  await client.callTool({ name: 'echo', arguments: { text: 'meanwhile' } });
  assert.equal(subscribed, false, 'nobody is told that it is subscribed before it is');
  taken.resolve();
  await subscribing;
  server.notify.resourceUpdated('note://one');
  await eventually(() => heard.includes('note://one'));
  server.notify.toolsChanged();
  await eventually(() => heard.includes('tools'));
  server.notify.resourceUpdated('note://other');
  assert.ok(!heard.includes('note://other'));
});

test('a dropped connection is no cancellation: the answer waits on its stream, for its owner alone', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  const a = await legacyClient(t, gateway, '/mcp/new', { user: 'alice' });
  const b = await legacyClient(t, gateway, '/mcp/new', { user: 'bob' });
  const headersOf = async (user: string, session: string) => ({
    authorization: `Bearer ${await gateway.keyOf(user)}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-session-id': session,
    'mcp-protocol-version': '2025-11-25',
  });
  const mine = await headersOf('alice', a.transport.sessionId!);
  const leaving = new AbortController();
  const answer = await fetch(`${gateway.url}/mcp/new`, {
    method: 'POST',
    signal: leaving.signal,
    headers: mine,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 77,
      method: 'tools/call',
      params: { name: 'count', arguments: { to: 3 }, _meta: { progressToken: 'mine' } },
    }),
  });
  let text = '';
  for await (const chunk of answer.body!) {
    text += Buffer.from(chunk).toString();
    if (text.includes('id: ')) break;
  }
  leaving.abort();
  const first = /^id: (.*)$/m.exec(text)![1]!;
  const resumed = await fetch(`${gateway.url}/mcp/new`, { headers: { ...mine, 'last-event-id': first } });
  const rest = await resumed.text();
  assert.match(rest, /counted to 3/);
  assert.match(rest, /"id":77/);
  assert.match(rest, /"progressToken":"mine"/);

  const theirs = await headersOf('bob', b.transport.sessionId!);
  const stolen = await fetch(`${gateway.url}/mcp/new`, { headers: { ...theirs, 'last-event-id': first } });
  assert.equal(stolen.status, 404, 'an event of another session');
  const taken = await fetch(`${gateway.url}/mcp/new`, {
    headers: { ...theirs, 'mcp-session-id': a.transport.sessionId!, 'last-event-id': first },
  });
  assert.equal(taken.status, 404, 'a session of another person');
});

test('every legacy version is spoken', async t => {
  const server = await startModernServer(t);
  const gateway = await startMcpGateway(t, { new: { url: server.url } });
  for (const version of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
    const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const { json, headers } = await post(gateway, '/mcp/new', {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params,
    });
    assert.equal(json.result['protocolVersion'], version);
    assert.equal(json.result['resultType'], undefined);
    const session = { 'mcp-session-id': headers.get('mcp-session-id')! };
    const listed = await post(gateway, '/mcp/new', { jsonrpc: '2.0', id: 2, method: 'tools/list' }, session);
    assert.ok(Array.isArray(listed.json.result['tools']));
    assert.equal(listed.json.result['ttlMs'], undefined);
  }
});

test('a server of both eras serves a client of either', async t => {
  const server = await startModernServer(t, 'stateless');
  const gateway = await startMcpGateway(t, { both: { url: server.url } });
  const { client } = await legacyClient(t, gateway, '/mcp/both');
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'old' } })), 'old');
  const modern = await modernClient(t, gateway, '/mcp/both');
  assert.equal(words(await modern.callTool({ name: 'echo', arguments: { text: 'new' } })), 'new');
});
