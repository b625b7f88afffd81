import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  ElicitRequestSchema,
  ListPromptsRequestSchema,
  ListToolsRequestSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { startAgent } from './fixtures/agent.ts';
import {
  legacyClient,
  type McpGateway,
  modernClient,
  modernRequest,
  post,
  startMcpGateway,
} from './fixtures/mcp.ts';
import { serveSessions, startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

const STDIO = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;
const names = (list: readonly { name: string }[]) => list.map(({ name }) => name);
const KEY = { old: 'upstream-key-old-0001', new: 'upstream-key-new-0001' };

const LONG = 'a_tool_whose_name_says_all_that_there_is_to_be_said_about_its_use_and_more';

/** Three pages of tools; the last one answers with a resource. */
function pagedServer() {
  const server = new Server(
    { name: 'paged', version: '1.0.0' },
    { capabilities: { tools: {}, prompts: {}, completions: {} } },
  );
  const pages = ['one', 'two', LONG];
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const at = Number(params?.cursor ?? 0);
    const nextCursor = at + 1 < pages.length ? { nextCursor: String(at + 1) } : {};
    return { tools: [{ name: pages[at]!, inputSchema: { type: 'object' } }], ...nextCursor };
  });
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => ({
    content: [
      { type: 'text', text: params.name },
      { type: 'resource_link', uri: 'note://paged', name: 'note' },
    ],
  }));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: [] }));
  server.setRequestHandler(CompleteRequestSchema, ({ params: { ref, argument } }) => ({
    completion: { values: [`${'name' in ref ? ref.name : ref.uri}: ${argument.value}`] },
  }));
  return server;
}

/** A server of each era over HTTP, one that does not answer, one that only Bob may use, and a program of Alice's behind a tunnel. */
async function manyServers(t: Pick<TestContext, 'after'>) {
  const [old, modern, bobs, paged] = await Promise.all([
    startLegacyServer(t),
    startModernServer(t),
    startLegacyServer(t),
    serveSessions(t, pagedServer),
  ]);
  const gateway = await startMcpGateway(t, {
    old: { url: old.url, credential: { use: 'key', key: KEY.old }, tools: { deny: ['fail'] } },
    new: { url: modern.url, credential: { use: 'key', key: KEY.new } },
    dead: { url: 'http://127.0.0.1:9/mcp' },
    paged: { url: paged.url },
    bobs: { url: bobs.url, access: { users: ['bob@corp.example'] } },
  });
  startAgent(
    t,
    ['--gateway', gateway.url, '--name', 'files', '--isolate', 'principal', '--', process.execPath, STDIO],
    { SALLYPORT_KEY: await gateway.keyOf('alice'), HOME: process.env['HOME'] ?? '/' },
  );
  await until(async () => {
    const headers = { authorization: `Bearer ${await gateway.keyOf('alice')}` };
    const answer = await fetch(`${gateway.url}/api/v1/tunnels`, { headers });
    return ((await answer.json()) as { items: { connected: boolean }[] }).items.some(one => one.connected);
  });
  return { gateway, old, modern, bobs };
}

let all: Awaited<ReturnType<typeof manyServers>>;
const ending: (() => unknown)[] = [];
before(async () => {
  all = await manyServers({ after: end => void ending.push(end as () => unknown) });
});
after(async () => {
  for (const end of ending.reverse()) await end();
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`not within 20 s: ${holds}`);
    await setImmediate();
  }
}

/** Either official client, as one. */
async function clientOf(t: TestContext, era: 'legacy' | 'modern', gateway: McpGateway, user = 'alice') {
  const answer = async () => ({ action: 'accept' as const, content: { name: user } });
  if (era === 'modern')
    return modernClient(t, gateway, '/mcp', {
      user,
      capabilities: { elicitation: { form: {} } },
      prepare: client => client.setRequestHandler('elicitation/create', answer),
    });
  const { client } = await legacyClient(t, gateway, '/mcp', {
    user,
    capabilities: { elicitation: {} },
    prepare: client => client.setRequestHandler(ElicitRequestSchema, answer),
  });
  return client;
}

test('a client of either era has what all servers have, as if it were one server', async t => {
  const { gateway, old, modern } = all;
  for (const era of ['legacy', 'modern'] as const) {
    const client = await clientOf(t, era, gateway);
    assert.equal(client.getServerVersion()?.name, 'sallyport');
    assert.match(client.getInstructions() ?? '', /# new\nOf the new school\.\n\n# old\nOf the old school\./);
    const { tools, _meta } = await client.listTools();
    const listed = names(tools as { name: string }[]);
    for (const name of ['alice_-files__pid', 'new__echo', 'new__region', 'old__echo', 'old__picture'])
      assert.ok(listed.includes(name), `${era}: ${name} among ${listed}`);
    assert.deepEqual(listed, [...listed].toSorted(byUpstream), 'one upstream after the other');
    assert.ok(!listed.includes('old__fail'), 'what a rule denies is not listed');
    assert.deepEqual(_meta?.['sallyport/missing'], ['dead'], 'who is missing is said');

    for (const [name, args, said] of [
      ['old__echo', { text: 'one' }, 'one'],
      ['new__echo', { text: 'two' }, 'two'],
      ['alice_-files__echo', { text: 'three' }, 'three'],
      ['new__region', { where: 'eu' }, 'in eu'],
      ['old__ask', { times: 2 }, 'accept:alice accept:alice'],
      ['new__ask', { times: 2 }, 'alice alice'],
      ['alice_-files__ask', {}, 'alice'],
    ] as const)
      assert.equal(words(await client.callTool({ name, arguments: args })), said, `${era}: ${name}`);

    const progress: number[] = [];
    for (const name of ['old__count', 'new__count'])
      await (client as Awaited<ReturnType<typeof modernClient>>).callTool(
        { name, arguments: { to: 2 } },
        ...((era === 'modern' ? [] : [undefined]) as []),
        { onprogress: at => void progress.push(at.progress) },
      );
    assert.deepEqual(progress, [1, 2, 1, 2]);

    const { prompts } = await client.listPrompts();
    assert.deepEqual(names(prompts as { name: string }[]), ['new__greet', 'old__greet']);
    const greeting = await client.getPrompt({ name: 'old__greet', arguments: { who: 'Ada' } });
    assert.match(JSON.stringify(greeting), /Hello Ada/);

    const { resources } = await client.listResources();
    const uris = (resources as { uri: string }[]).map(({ uri }) => uri);
    assert.deepEqual(uris, ['sallyport:new/note://one', 'sallyport:old/note://one']);
    for (const uri of uris) {
      const { contents } = await client.readResource({ uri });
      assert.deepEqual(contents, [{ uri, text: 'a note' }], 'a resource is named as it was asked for');
    }
  }
  for (const [server, key] of [
    [old, KEY.old],
    [modern, KEY.new],
  ] as const)
    assert.deepEqual(
      new Set(server.seen.map(({ headers }) => headers.authorization)),
      new Set([`Bearer ${key}`]),
      'each server saw its own credential and no other',
    );
  const calls = await gateway.audit('tool.call');
  const called = calls.map(({ target, detail }) => `${target} ${detail['tool']} ${detail['outcome']}`);
  for (const [call, times] of [
    ['old echo ok', 2],
    ['new echo ok', 2],
    ['alice/files echo ok', 2],
    ['new region ok', 2],
  ] as const)
    assert.equal(called.filter(one => one === call).length, times, `${call} among ${called}`);
});

const byUpstream = (a: string, b: string) => {
  const [one, other] = [a.split('__')[0]!, b.split('__')[0]!];
  return one < other ? -1 : one > other ? 1 : 0;
};

test('pages go on where each server has more, long names are shortened, and completions find their server', async t => {
  const { gateway } = all;
  for (const era of ['legacy', 'modern'] as const) {
    // By hand: a client of the second generation reads all pages by itself.
    const ask = await asker(t, era, gateway);
    const pages: string[][] = [];
    let cursor: unknown;
    do {
      const { tools, nextCursor } = await ask('tools/list', cursor === undefined ? {} : { cursor });
      pages.push(names(tools as { name: string }[]));
      cursor = nextCursor;
    } while (cursor !== undefined);
    assert.equal(pages.length, 3, era);
    assert.ok(pages[0]!.includes('paged__one') && pages[0]!.includes('old__echo'));
    assert.deepEqual(pages[1], ['paged__two']);
    const [short] = pages[2]!;
    assert.equal(short?.length, 64);
    const { content } = await ask('tools/call', { name: short, arguments: {} });
    const link = { type: 'resource_link', uri: 'sallyport:paged/note://paged', name: 'note' };
    assert.deepEqual(content, [{ type: 'text', text: LONG }, link]);
    for (const [ref, said] of [
      [{ type: 'ref/prompt', name: 'paged__greet' }, 'greet: x'],
      [{ type: 'ref/resource', uri: 'sallyport:paged/note://{id}' }, 'note://{id}: x'],
    ] as const) {
      const { completion } = await ask('completion/complete', { ref, argument: { name: 'id', value: 'x' } });
      assert.deepEqual((completion as { values: string[] }).values, [said]);
    }
    await assert.rejects(ask('tools/list', { cursor: 'made up' }), /no such cursor/);
  }
});

/** One request after the other, as a client of that era writes them. */
async function asker(t: TestContext, era: 'legacy' | 'modern', gateway: McpGateway) {
  const session =
    era === 'legacy'
      ? { 'mcp-session-id': (await legacyClient(t, gateway, '/mcp')).transport.sessionId! }
      : null;
  let id = 100;
  return async (method: string, params: Record<string, unknown>) => {
    id += 1;
    const { headers, body } = modernRequest(method, params, id);
    const { json } = await (session === null
      ? post(gateway, '/mcp', body, headers)
      : post(gateway, '/mcp', { jsonrpc: '2.0', id, method, params }, session));
    if (json.error !== undefined) throw new Error(json.error.message);
    return json.result;
  };
}

test("nobody sees or calls another's server, and cannot tell it from none", async t => {
  const { gateway, bobs } = all;
  const alice = await clientOf(t, 'modern', gateway);
  const bob = await clientOf(t, 'legacy', gateway, 'bob');
  const ofAlice = names((await alice.listTools()).tools);
  const ofBob = names((await bob.listTools()).tools as { name: string }[]);
  assert.ok(ofBob.includes('bobs__echo') && !ofAlice.includes('bobs__echo'));
  assert.ok(ofAlice.includes('alice_-files__echo') && !ofBob.some(name => name.startsWith('alice')));

  const before = bobs.ran.get('echo') ?? 0;
  const errors = [];
  for (const name of ['bobs__echo', 'none__echo']) {
    const { headers, body } = modernRequest('tools/call', { name, arguments: { text: 'x' } });
    const answer = await post(gateway, '/mcp', body, headers);
    errors.push([answer.status, answer.json.error]);
    await assert.rejects(alice.callTool({ name, arguments: { text: 'x' } }));
  }
  assert.deepEqual(errors[0], errors[1]);
  for (const name of ['alice_-files__echo', 'alice_-none__echo'])
    await assert.rejects(bob.callTool({ name, arguments: { text: 'x' } }), /no such tool/);
  for (const uri of ['sallyport:bobs/note://one', 'sallyport:none/note://one', 'note://one'])
    await assert.rejects(alice.readResource({ uri }));
  assert.equal(bobs.ran.get('echo') ?? 0, before);
});

test('what a rule of one server denies is refused under its joined name, in either era', async t => {
  const { gateway, old } = all;
  for (const era of ['legacy', 'modern'] as const) {
    const client = await clientOf(t, era, gateway);
    await assert.rejects(client.callTool({ name: 'old__fail', arguments: {} }), /You may not call the tool/);
  }
  assert.equal(old.ran.get('fail'), undefined);
  const calls = await gateway.audit('tool.call');
  assert.deepEqual(
    calls
      .filter(({ detail }) => detail['tool'] === 'fail')
      .map(({ target, detail }) => [target, detail['outcome']]),
    [
      ['old', 'refused'],
      ['old', 'refused'],
    ],
  );
});

test('a header that is not what the body says is refused before any server hears of it', async () => {
  const { gateway, old, modern } = all;
  const { headers, body } = modernRequest('tools/call', { name: 'old__echo', arguments: { text: 'x' } });
  const seen = old.seen.length + modern.seen.length;
  for (const spoilt of [
    { ...headers, 'mcp-name': 'new__echo' },
    { ...headers, 'mcp-name': 'echo' },
    { ...headers, 'mcp-name': 'none__echo' },
    { ...headers, 'mcp-method': 'prompts/get' },
    Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'mcp-name')),
  ]) {
    const answer = await post(gateway, '/mcp', body, spoilt);
    assert.equal(answer.status, 400, JSON.stringify(spoilt));
    assert.equal(answer.json.error.code, -32020, JSON.stringify(answer.json));
  }
  assert.equal(old.seen.length + modern.seen.length, seen);
  assert.equal((await post(gateway, '/mcp', body, headers)).status, 200);
});

test('changes of any server are heard, by the resource as by the list', async t => {
  const { gateway, old, modern } = all;
  const client = await modernClient(t, gateway, '/mcp');
  let lists = 0;
  const updated = Promise.withResolvers<string>();
  client.setNotificationHandler('notifications/tools/list_changed', () => void lists++);
  client.setNotificationHandler('notifications/resources/updated', ({ params }) =>
    updated.resolve(params.uri),
  );
  const uri = 'sallyport:old/note://one';
  const listening = await client.listen({ toolsListChanged: true, resourceSubscriptions: [uri] });
  assert.deepEqual([...old.subscribed], ['note://one']);

  const { client: legacy } = await legacyClient(t, gateway, '/mcp', {
    prepare: client =>
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => heard.resolve()),
  });
  const heard = Promise.withResolvers<void>();
  await legacy.ping();
  modern.notify.toolsChanged();
  await heard.promise;
  await until(() => lists === 1);
  for (const { server } of old.sessions.values())
    await server.server.sendResourceUpdated({ uri: 'note://one' });
  assert.equal(await updated.promise, uri);
  await listening.close();
  await until(() => old.subscribed.size === 0);
});

test('a server that comes later is there without a new session, and one that is taken away is gone', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, {});
  let changes = 0;
  const { client } = await legacyClient(t, gateway, '/mcp', {
    prepare: client => client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++),
  });
  assert.deepEqual((await client.listTools()).tools, []);
  const admin = {
    authorization: `Bearer ${await gateway.keyOf('root')}`,
    'content-type': 'application/json',
  };
  const made = await fetch(`${gateway.url}/api/v1/upstreams`, {
    method: 'POST',
    headers: admin,
    body: JSON.stringify({
      id: 'late',
      name: 'Late',
      kind: 'mcp',
      url: server.url,
      credential: { use: 'none' },
      access: { everyone: true, users: [], groups: [] },
    }),
  });
  assert.equal(made.status, 201, await made.text());
  await until(() => changes > 0);
  assert.equal(words(await client.callTool({ name: 'late__echo', arguments: { text: 'hi' } })), 'hi');
  const ended = assert.rejects(client.callTool({ name: 'late__wait', arguments: { tag: 'x' } }));
  await until(() => server.ran.get('wait') === 1);
  const removed = await fetch(`${gateway.url}/api/v1/upstreams/late`, {
    method: 'DELETE',
    headers: { authorization: admin.authorization },
  });
  assert.ok(removed.ok, await removed.text());
  await ended;
  assert.deepEqual((await client.listTools()).tools, []);
  await assert.rejects(client.callTool({ name: 'late__echo', arguments: { text: 'hi' } }), /no such tool/);
});
