import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import {
  legacyClient,
  type McpGateway,
  modernClient,
  modernRequest,
  post,
  startMcpGateway,
} from './fixtures/mcp.ts';
import { startLegacyServer, startModernServer } from './fixtures/mcp-servers.ts';

const PROGRAM = fileURLToPath(new URL('./fixtures/mcp-stdio.ts', import.meta.url));
const words = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

/** The same id in another spelling: nobody was ever given it. */
const madeUp = (id: string): string =>
  id
    .replace(/[A-Za-z0-9](?=[^A-Za-z0-9]*$)/, last => (last === 'A' ? 'B' : 'A'))
    .replace(/[a-z0-9]/g, at => (at === 'z' || at === '9' ? at : String.fromCharCode(at.charCodeAt(0) + 1)));

/** Servers of both eras, one of them a program behind a tunnel that Alice shares with everybody. */
async function house(t: TestContext) {
  const legacy = await startLegacyServer(t);
  const modern = await startModernServer(t);
  const gateway = await startMcpGateway(t, { old: { url: legacy.url }, new: { url: modern.url } });
  const key = await gateway.keyOf('alice');
  const args = ['--gateway', gateway.url, '--name', 'tool', '--', process.execPath, PROGRAM];
  const agent = startAgent(t, args, { SALLYPORT_KEY: key });
  await agent.says(/connected {2}tool/);
  const { items } = (await (await as(gateway, 'alice', 'GET', '/api/v1/tunnels')).json()) as {
    items: { id: string }[];
  };
  const { id } = items[0]!;
  const shared = { everyone: true, users: [], groups: [] };
  assert.equal((await as(gateway, 'alice', 'PATCH', `/api/v1/tunnels/${id}`, {}, { shared })).status, 200);
  return { gateway, legacy, tunnel: id };
}

const as = async (
  gateway: McpGateway,
  user: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: unknown,
) =>
  fetch(gateway.url + path, {
    method,
    headers: {
      authorization: `Bearer ${await gateway.keyOf(user)}`,
      accept: 'application/json, text/event-stream',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** Everything that an answer shows to whoever asked. */
async function shown(answer: Response) {
  const { date: _, 'x-request-id': _id, ...headers } = Object.fromEntries(answer.headers);
  return { status: answer.status, headers, body: await answer.text() };
}

/** Bob learns the same of what is Alice's as of what never was, and that is 404. */
async function noTelling(
  what: string,
  theirs: string,
  ask: (id: string) => Promise<Response>,
): Promise<void> {
  const [real, invented] = [await shown(await ask(theirs)), await shown(await ask(madeUp(theirs)))];
  assert.notEqual(madeUp(theirs), theirs);
  assert.equal(real.status, 404, `${what}: ${real.body}`);
  assert.deepEqual(
    JSON.parse(JSON.stringify(real).replaceAll(theirs, 'ID')),
    JSON.parse(JSON.stringify(invented).replaceAll(madeUp(theirs), 'ID')),
    what,
  );
}

test("for Bob Alice's session does not exist, nor does an event of it, wherever the session ends", async t => {
  const { gateway } = await house(t);
  const ping = { jsonrpc: '2.0', id: 9, method: 'ping' };
  for (const path of ['/mcp/old', '/mcp/new', '/mcp/alice/tool']) {
    const { client, transport } = await legacyClient(t, gateway, path, { user: 'alice' });
    const session = transport.sessionId!;
    const own = (id: string) => ({ 'mcp-session-id': id, 'mcp-protocol-version': '2025-06-18' });
    for (const method of ['POST', 'GET', 'DELETE'])
      await noTelling(`${method} ${path}`, session, id =>
        as(gateway, 'bob', method, path, own(id), method === 'POST' ? ping : undefined),
      );

    const call = { name: 'count', arguments: { to: 2 }, _meta: { progressToken: 1 } };
    const message = { jsonrpc: '2.0', id: 3, method: 'tools/call', params: call };
    const called = await as(gateway, 'alice', 'POST', path, own(session), message);
    const event = /^id: (.+)$/m.exec(await called.text())?.[1];
    if (event !== undefined) {
      const bob = await legacyClient(t, gateway, path, { user: 'bob' });
      await noTelling(`an event of ${path}`, event, id =>
        as(gateway, 'bob', 'GET', path, { ...own(bob.transport.sessionId!), 'last-event-id': id }),
      );
    } else assert.equal(path, '/mcp/alice/tool', 'its program has nothing to count');
    // And nothing of it did her any harm.
    assert.equal(words(await client.callTool({ name: 'echo', arguments: { text: 'still' } })), 'still');
  }
});

/** A server, a tunnel and an upstream called `sse` that only Alice may use. */
async function privateHouse(t: TestContext) {
  const server = await startLegacyServer(t);
  const alices = { url: server.url, access: { users: ['alice@corp.example'] } };
  const gateway = await startMcpGateway(t, { mine: alices, all: { url: server.url }, sse: alices });
  const key = await gateway.keyOf('alice');
  for (const name of ['tool', 'sse'])
    await startAgent(t, ['--gateway', gateway.url, '--name', name, '--', process.execPath, PROGRAM], {
      SALLYPORT_KEY: key,
    }).says(new RegExp(`connected {2}${name}`));
  return { gateway, server };
}

test("a server that is Alice's alone cannot be told from none, by whatever Bob sends it", async t => {
  const { gateway, server } = await privateHouse(t);
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  };
  const modern = modernRequest('tools/call', { name: 'echo', arguments: { text: 'x' } });
  const seen = server.seen.length;
  for (const name of ['mine', 'alice/tool', 'alice/sse'])
    for (const at of ['', '/sse', '/messages', '/messages?sessionId=x'])
      for (const [method, headers, body] of [
        ['POST', {}, initialize],
        ['POST', modern.headers, modern.body],
        ['POST', {}, [initialize]],
        ['POST', { 'mcp-session-id': 'x' }, undefined],
        ['GET', {}, undefined],
        ['GET', { 'last-event-id': 'x', 'mcp-session-id': 'x' }, undefined],
        ['DELETE', { 'mcp-session-id': 'x' }, undefined],
        ['PUT', {}, undefined],
      ] as const)
        await noTelling(`${method} /mcp/${name}${at}`, name, id =>
          as(gateway, 'bob', method, `/mcp/${id}${at}`, headers, body),
        );
  assert.equal(server.seen.length, seen);
  assert.equal((await as(gateway, 'alice', 'POST', '/mcp/mine', {}, initialize)).status, 200);

  // Nor is it in the way of what is everybody's.
  const leaving = new AbortController();
  const stream = await fetch(`${gateway.url}/mcp/sse`, {
    headers: { authorization: `Bearer ${await gateway.keyOf('bob')}`, accept: 'text/event-stream' },
    signal: leaving.signal,
  });
  assert.equal(stream.status, 200);
  leaving.abort();
});

test('a server that is taken from Bob while he calls it is gone, as one that was removed', async t => {
  const server = await startLegacyServer(t);
  const gateway = await startMcpGateway(t, {});
  const admin = (method: string, path: string, body?: unknown) => as(gateway, 'root', method, path, {}, body);
  const access = (everyone: boolean) => ({ everyone, users: [], groups: [] });
  const define = (id: string) => ({
    id,
    name: 'Of all',
    kind: 'mcp',
    url: server.url,
    credential: { use: 'none' },
    access: access(true),
  });
  const answers = [];
  let calls = 0;
  for (const id of ['taken', 'removed']) {
    assert.equal((await admin('POST', '/api/v1/upstreams', define(id))).status, 201);
    const { transport } = await legacyClient(t, gateway, `/mcp/${id}`, { user: 'bob' });
    const waiting = as(
      gateway,
      'bob',
      'POST',
      `/mcp/${id}`,
      { 'mcp-session-id': transport.sessionId! },
      { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'wait', arguments: { tag: id } } },
    );
    calls += 1;
    await eventually(() => server.ran.get('wait') === calls);
    const done =
      id === 'taken'
        ? await admin('PUT', `/api/v1/upstreams/${id}`, { ...define(id), access: access(false) })
        : await admin('DELETE', `/api/v1/upstreams/${id}`);
    assert.ok(done.ok, await done.text());
    answers.push(await waiting.then(shown).catch((error: Error) => error.message));
    answers.push(await shown(await as(gateway, 'bob', 'GET', `/mcp/${id}`)));
  }
  assert.deepEqual(answers.slice(0, 2), answers.slice(2));
});

test("Alice's tunnel can be called by whom it is shared with, and is not there to be changed or taken over", async t => {
  const { gateway, tunnel } = await house(t);
  for (const method of ['PATCH', 'DELETE'])
    await noTelling(`${method} a tunnel`, tunnel, id =>
      as(gateway, 'bob', method, `/api/v1/tunnels/${id}`, {}, method === 'PATCH' ? {} : undefined),
    );
  const begun = await as(gateway, 'alice', 'POST', '/tunnel', { 'sallyport-protocol': 'sallyport.h2.v1' });
  const { id } = (await begun.json()) as { id: string };
  await noTelling('the stream of a tunnel', id, one => as(gateway, 'bob', 'GET', `/tunnel/${one}/down`));
  await noTelling('a piece of a tunnel', id, one => as(gateway, 'bob', 'POST', `/tunnel/${one}/up?n=0`));
});

test("Alice's requestState is worth nothing to Bob", async t => {
  const { gateway } = await house(t);
  const capabilities = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } };
  for (const [path, args] of [
    ['/mcp/old', { times: 1 }],
    ['/mcp/alice/tool', {}],
    ['/mcp/new', { times: 1 }],
  ] as const) {
    const ask = { name: 'ask', arguments: args, _meta: capabilities };
    const first = modernRequest('tools/call', ask);
    const { json } = await post(gateway, path, first.body, first.headers, 'alice');
    const { requestState, inputRequests } = json.result as {
      requestState: string;
      inputRequests: Record<string, unknown>;
    };
    const [question] = Object.keys(inputRequests);
    const retry = (state: string) => {
      const inputResponses = { [question!]: { action: 'accept', content: { name: 'Ada' } } };
      return modernRequest('tools/call', { ...ask, inputResponses, requestState: state }, 2);
    };
    await noTelling(`a state of ${path}`, requestState, state =>
      as(gateway, 'bob', 'POST', path, retry(state).headers, retry(state).body),
    );
    const own = retry(requestState);
    const answered = await post(gateway, path, own.body, own.headers, 'alice');
    assert.match(words(answered.json.result), /Ada/, 'she goes on');
  }
});

test("what Bob says of Alice's subscription neither ends it nor shows it to him", async t => {
  const { gateway, legacy } = await house(t);
  const alice = await modernClient(t, gateway, '/mcp/old', { user: 'alice' });
  const heard: string[] = [];
  alice.setNotificationHandler(
    'notifications/resources/updated',
    ({ params }) => void heard.push(params.uri),
  );
  await alice.listen({ resourceSubscriptions: ['note://one'] });
  await eventually(() => legacy.subscribed.has('note://one'));

  const bob = await legacyClient(t, gateway, '/mcp/old', { user: 'bob' });
  const session = {
    'mcp-session-id': bob.transport.sessionId!,
    'mcp-protocol-version': '2025-06-18',
  };
  // Whatever the id of her subscription is, it is one of these.
  for (const requestId of [0, 1, 2, 3, 4, 5]) {
    const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } };
    assert.equal((await as(gateway, 'bob', 'POST', '/mcp/old', session, message)).status, 202);
    const modern = modernRequest('notifications/cancelled', { requestId });
    const { id: _, ...notification } = modern.body;
    await (await as(gateway, 'bob', 'POST', '/mcp/old', modern.headers, notification)).arrayBuffer();
  }
  for (const { server } of legacy.sessions.values())
    await server.server.sendResourceUpdated({ uri: 'note://one' });
  await eventually(() => heard.length > 0);
  assert.deepEqual([...new Set(heard)], ['note://one']);
});
