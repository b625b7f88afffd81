import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './fixtures/data-plane.ts';
import { modernClient, modernRequest, post, startMcpGateway } from './fixtures/mcp.ts';
import { startLegacyServer } from './fixtures/mcp-servers.ts';

const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
const form = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };

test('a modern client uses a legacy server: tools, prompts, resources, pictures, structured output', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/old');
  assert.equal(client.getServerVersion()?.name, 'legacy');
  assert.equal(client.getInstructions(), 'Of the old school.');
  assert.ok((await client.listTools()).tools.some(tool => tool.name === 'picture'));
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'grüße' } })), 'grüße');
  const picture = await client.callTool({ name: 'picture', arguments: {} });
  assert.deepEqual(picture.structuredContent, { n: 7 });
  assert.deepEqual(
    picture.content.map(({ type }) => type),
    ['image', 'audio'],
  );
  assert.equal((await client.callTool({ name: 'fail', arguments: {} })).isError, true);
  assert.match(
    JSON.stringify(await client.getPrompt({ name: 'greet', arguments: { who: 'Ada' } })),
    /Hello Ada/,
  );
  assert.match(JSON.stringify(await client.readResource({ uri: 'note://one' })), /a note/);
  await assert.rejects(
    client.readResource({ uri: 'note://none' }),
    (error: { code?: number }) => error.code === -32602,
  );
  assert.equal(server.sessions.size, 1, 'all of it in one session at the server');
  const calls = await gateway.audit('tool.call');
  assert.deepEqual(
    calls.map(({ detail }) => detail['outcome']),
    ['ok', 'ok', 'tool_error'],
  );
});

test('progress and wanted log messages ride the answer; nobody else hears them', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/old');
  const heard: unknown[] = [];
  client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(params.data));
  const progress: number[] = [];
  const said = await client.callTool(
    { name: 'count', arguments: { to: 4 }, _meta: { 'io.modelcontextprotocol/logLevel': 'info' } },
    { onprogress: at => void progress.push(at.progress) },
  );
  assert.equal(words(said), 'counted to 4');
  assert.deepEqual(progress, [1, 2, 3, 4]);
  assert.deepEqual(heard, ['at 2', 'at 4']);
  await client.callTool({ name: 'count', arguments: { to: 2 } });
  assert.equal(heard.length, 2, 'a call that asked for none gets none');
});

test("what the server asks reaches the client as input_required, and the client's answer the server", async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  let asked = 0;
  const client = await modernClient(t, gateway, '/mcp/old', {
    capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} },
    prepare: client => {
      client.setRequestHandler('elicitation/create', async () => {
        asked += 1;
        return { action: 'accept', content: { name: `Ada${asked}` } };
      });
      client.setRequestHandler('sampling/createMessage', async () => ({
        role: 'assistant',
        model: 'm1',
        content: { type: 'text', text: 'fine' },
      }));
      client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///home' }] }));
    },
  });
  assert.equal(
    words(await client.callTool({ name: 'ask', arguments: { times: 3 } })),
    'accept:Ada1 accept:Ada2 accept:Ada3',
  );
  assert.equal(words(await client.callTool({ name: 'sample', arguments: {} })), 'm1 fine file:///home');
  assert.equal(server.ran.get('ask'), 1, 'the call was made once, however often the client came back');
});

test('what a client cannot be asked is refused to the server at once, and the call goes on', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/old');
  const answer = await client.callTool({ name: 'sample', arguments: {} });
  assert.equal(answer.isError, true);
});

test('a requestState is good for one retry, of one request, by one principal, at one server', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url }, other: { url: server.url } });
  const first = modernRequest('tools/call', { name: 'ask', arguments: { times: 2 }, _meta: form });
  const asked = await post(gateway, '/mcp/old', first.body, first.headers);
  assert.equal(asked.json.result['resultType'], 'input_required');
  const { inputRequests, requestState } = asked.json.result as {
    inputRequests: Record<string, { method: string; params: { message: string } }>;
    requestState: string;
  };
  const [[key, question]] = Object.entries(inputRequests) as [
    [string, { method: string; params: { message: string } }],
  ];
  assert.deepEqual([question.method, question.params.message], ['elicitation/create', 'Name 1?']);
  const retry = (params: Record<string, unknown> = {}, name = 'ask') =>
    modernRequest(
      'tools/call',
      {
        name,
        arguments: { times: 2 },
        inputResponses: { [key]: { action: 'accept', content: { name: 'Ada' } } },
        requestState,
        _meta: form,
        ...params,
      },
      2,
    );
  const tried = async (path: string, request: ReturnType<typeof retry>, user: string) => {
    const { status, json } = await post(gateway, path, request.body, request.headers, user);
    return [status, json.error?.code];
  };
  assert.deepEqual(await tried('/mcp/old', retry(), 'bob'), [404, -32602]);
  assert.deepEqual(await tried('/mcp/other', retry(), 'alice'), [404, -32602]);
  assert.deepEqual(
    await tried('/mcp/old', retry({ requestState: `${requestState}x` }), 'alice'),
    [404, -32602],
  );
  assert.deepEqual(await tried('/mcp/old', retry({ arguments: { times: 3 } }), 'alice'), [400, -32602]);
  assert.deepEqual(await tried('/mcp/old', retry({}, 'echo'), 'alice'), [400, -32602]);

  const again = await post(gateway, '/mcp/old', retry().body, retry().headers);
  assert.equal(again.json.result['resultType'], 'input_required', 'its second question');
  assert.deepEqual(await tried('/mcp/old', retry(), 'alice'), [400, -32602], 'a spent state');
  const last = await post(
    gateway,
    '/mcp/old',
    ...(Object.values(
      retry({
        requestState: again.json.result['requestState'],
        inputResponses: {
          [Object.keys(again.json.result['inputRequests'] as object)[0]!]: { action: 'decline' },
        },
      }),
    ) as [unknown, Record<string, string>]),
  );
  assert.equal(words(last.json.result), 'accept:Ada decline:');
  assert.equal(last.json.result['resultType'], 'complete');
  assert.equal(server.ran.get('ask'), 1);
});

test('a hundred calls may wait for one client, and no more; one that it comes back to makes room', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const ask = (id: number, more: Record<string, unknown> = {}) => {
    const { body, headers } = modernRequest(
      'tools/call',
      { name: 'ask', arguments: { times: 1 }, _meta: form, ...more },
      id,
    );
    return post(gateway, '/mcp/old', body, headers);
  };
  const { inputRequests, requestState } = (await ask(0)).json.result as {
    inputRequests: object;
    requestState: string;
  };
  // One after another: this server does not say which call a question belongs to.
  for (let n = 1; n < 100; n++) assert.equal((await ask(n)).json.result['resultType'], 'input_required');
  assert.equal((await ask(100)).status, 503);
  const inputResponses = Object.fromEntries(
    Object.keys(inputRequests).map(key => [key, { action: 'accept', content: { name: 'Ada' } }]),
  );
  assert.equal(words((await ask(101, { inputResponses, requestState })).json.result), 'accept:Ada');
  assert.equal((await ask(102)).json.result['resultType'], 'input_required');
  assert.equal((await ask(103)).status, 503);
});

test('a client that closes the stream cancels its call at the server', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/old');
  const leaving = new AbortController();
  const called = client.callTool({ name: 'wait', arguments: { tag: 'one' } }, { signal: leaving.signal });
  await eventually(() => server.ran.get('wait') === 1);
  leaving.abort();
  await assert.rejects(called);
  await eventually(() => server.cancelled.includes('one'));
});

test('a subscription hears of changed lists and resources, until it leaves', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/old');
  const heard: string[] = [];
  client.setNotificationHandler('notifications/tools/list_changed', () => void heard.push('tools'));
  client.setNotificationHandler(
    'notifications/resources/updated',
    ({ params }) => void heard.push(params.uri),
  );
  const taken = Promise.withResolvers<void>();
  server.held.subscribing = taken.promise;
  let listening = false;
  const listened = client
    .listen({ toolsListChanged: true, resourceSubscriptions: ['note://one'] })
    .finally(() => (listening = true));
  await eventually(() => server.seen.some(({ body }) => body.includes('"resources/subscribe"')));
  await client.callTool({ name: 'echo', arguments: { text: 'meanwhile' } });
  assert.equal(listening, false, 'nobody is told that it listens before it does');
  taken.resolve();
  const subscription = await listened;
  assert.ok(server.subscribed.has('note://one'));
  const [{ server: session } = assert.fail()] = [...server.sessions.values()];
  session.sendToolListChanged();
  await session.server.sendResourceUpdated({ uri: 'note://one' });
  await session.server.sendResourceUpdated({ uri: 'note://other' });
  await eventually(() => heard.length === 2);
  assert.deepEqual(heard.toSorted(), ['note://one', 'tools']);
  await subscription.close();
  await eventually(() => !server.subscribed.has('note://one'));
});

test('a server that forgot the session gets a new one, and the call is made once', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  const client = await modernClient(t, gateway, '/mcp/old');
  await client.callTool({ name: 'echo', arguments: { text: 'before' } });
  server.sessions.clear();
  assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'after' } })), 'after');
  assert.equal(server.ran.get('echo'), 2);
});

test('twenty clients with the same ids and progress tokens get their own answers', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, { old: { url: server.url } });
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const user = ['alice', 'bob'][n % 2]!;
      for (let turn = 0; turn < 10; turn++) {
        const { body, headers } = modernRequest(
          'tools/call',
          { name: 'echo', arguments: { text: `${n}-${turn}` }, _meta: { progressToken: 1 } },
          1,
        );
        const { json } = await post(gateway, '/mcp/old', body, headers, user);
        assert.equal(words(json.result), `${n}-${turn}`);
      }
    }),
  );
  assert.equal(server.sessions.size, 2, 'one for each person');
});

test('somebody has twenty sessions at servers at once: one that rests makes room, one that works does not', async t => {
  const server = await startLegacyServer(t);
  const names = Array.from({ length: 21 }, (_, n) => `old${n}`);
  const gateway = await startMcpGateway(
    t,
    Object.fromEntries(names.map(name => [name, { url: server.url }])),
  );
  const leaving = new AbortController();
  const called: Promise<unknown>[] = [];
  for (const name of names.slice(0, 20)) {
    const client = await modernClient(t, gateway, `/mcp/${name}`);
    const call = client.callTool(
      { name: 'wait', arguments: { tag: name } },
      { signal: name === 'old0' ? leaving.signal : AbortSignal.any([]) },
    );
    called.push(call.catch(() => {}));
    await eventually(() => server.ran.get('wait') === called.length);
  }
  const { body, headers } = modernRequest('tools/call', { name: 'echo', arguments: { text: 'hi' } }, 1);
  const once = () => post(gateway, '/mcp/old20', body, headers);
  assert.equal((await once()).status, 503);
  assert.equal((await post(gateway, '/mcp/old20', body, headers, 'bob')).status, 200);
  leaving.abort();
  await eventually(() => server.cancelled.includes('old0'));
  assert.equal((await once()).status, 200);
});
