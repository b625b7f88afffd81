import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { keyOf, startProgram } from './fixtures/agent.ts';
import { startGateway } from './fixtures/gateway.ts';

const AGENT = fileURLToPath(new URL('./fixtures/generation-1.ts', import.meta.url));
const EVERYTHING = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

async function house(t: TestContext, config: Record<string, unknown> = {}) {
  const gateway = await startGateway(t, { config });
  const alice = await keyOf(gateway, 'alice@corp.example');
  const bob = await keyOf(gateway, 'bob@corp.example');
  const socketUrl = gateway.url.replace('http', 'ws');
  const ask = async (key: string, method: string, path: string, body?: unknown, headers = {}) => {
    const res = await fetch(`${gateway.url}/reverse-proxy${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: res.status, body: (await res.json()) as Record<string, never> };
  };
  const agent = (url: string, key: string) =>
    startProgram(t, AGENT, [url, key, process.execPath, EVERYTHING]);
  return { gateway, alice, bob, ask, agent, socketUrl };
}

/** Reads events of a session until enough have come. */
async function events(t: TestContext, url: string, key: string, last?: string) {
  const headers = {
    authorization: `Bearer ${key}`,
    ...(last === undefined ? {} : { 'last-event-id': last }),
  };
  const req = get(url, { headers });
  t.after(() => req.destroy());
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  let text = '';
  res.setEncoding('utf8').on('data', piece => (text += piece));
  return {
    status: res.statusCode,
    async until(pattern: RegExp) {
      while (!pattern.test(text)) await once(res, 'data');
      return text;
    },
  };
}

const list = (id: unknown) => ({ jsonrpc: '2.0', id, method: 'tools/list' });

test('a first generation agent is a tunnel: its session is listed, asked, followed and ended by its owner only', async t => {
  const { gateway, alice, bob, ask, agent, socketUrl } = await house(t);
  const program = agent(`${socketUrl}/reverse-proxy/ws`, alice);
  await program.says(/"register_ack"[^\n]*"success"/);
  // It answers every heartbeat it gets: one of ours came, and its echo was not answered.
  await program.says(/heartbeat 1/);

  const { sessions, total } = (await ask(alice, 'GET', '/sessions')).body as unknown as {
    sessions: { session_id: string; server_info: { name: string }; user: string; message_count: number }[];
    total: number;
  };
  assert.deepEqual(
    [total, sessions[0]!.server_info.name, sessions[0]!.user],
    [1, 'Corp Tools!', 'alice@corp.example'],
  );
  assert.ok(!program.output().includes('heartbeat 2'));
  const id = sessions[0]!.session_id;
  assert.equal((await ask(bob, 'GET', '/sessions')).body['total'], 0);

  const following = await events(t, `${gateway.url}/reverse-proxy/sse/${id}`, alice);
  await following.until(/event: connected\ndata: .*Corp Tools!/);
  // With a wait, the reply itself; without, the reply reaches who follows the session. Under the caller's own id, twice the same.
  const waited = await ask(alice, 'POST', `/sessions/${id}/request`, list('mine'), { prefer: 'wait=20' });
  const reply = waited.body as unknown as { id: string; result: { tools: unknown[] } };
  assert.equal(reply.id, 'mine');
  assert.ok(reply.result.tools.length > 0);
  const left = await ask(alice, 'POST', `/sessions/${id}/request`, list(7));
  assert.deepEqual(left.body, { status: 'sent', session_id: id });
  const seen = await following.until(/"id":7/);
  assert.match(seen, /id: 1\nevent: message\ndata: .*"id":"mine"/);
  // Who comes back sees what it missed, and is told when that is kept no more.
  const back = await events(t, `${gateway.url}/reverse-proxy/sse/${id}`, alice, '1');
  assert.ok(!(await back.until(/"id":7/)).includes('"id":"mine"'));
  await (await events(t, `${gateway.url}/reverse-proxy/sse/${id}`, alice, '999')).until(/event: gap/);

  // To Bob they are as those that there are not.
  for (const [method, path, body] of [
    ['DELETE', `/sessions/${id}`],
    ['GET', `/sse/${id}`],
    ['POST', `/sessions/${id}/request`, list(1)],
  ] as const) {
    const [real, invented] = await Promise.all(
      [path, path.replace(id, 'rps_none')].map(at => ask(bob, method, at, body)),
    );
    assert.deepEqual([real!.status, real!.body], [404, invented!.body], path);
  }

  const tunnels = (await (
    await fetch(`${gateway.url}/api/v1/tunnels`, { headers: { authorization: `Bearer ${alice}` } })
  ).json()) as { items: { name: string; kind: string; connected: boolean }[] };
  assert.deepEqual(
    tunnels.items.map(({ name, kind, connected }) => [name, kind, connected]),
    [['alice/corp-tools', 'stdio', true]],
  );
  assert.deepEqual((await ask(alice, 'DELETE', `/sessions/${id}`)).body, {
    status: 'disconnected',
    session_id: id,
  });
  await program.says(/closed 1008/);
  assert.equal((await ask(alice, 'GET', '/sessions')).body['total'], 0);
});

test('on all of its paths, by header or query, and not without a credential', async t => {
  const { alice, agent, socketUrl, gateway } = await house(t);
  for (const path of ['/v1/reverse-proxy/ws', '/reverse-proxy']) {
    const program = agent(`${socketUrl}${path}`, alice);
    await program.says(/register_ack/);
    await program.kill();
  }
  await agent(`${socketUrl}/reverse-proxy/ws?token=${alice}`, '-').says(/register_ack/);
  await assert.rejects(agent(`${socketUrl}/reverse-proxy/ws`, '-').says(/register_ack/), /refused 401/);
  assert.ok(!gateway.output().includes(alice));
});

test('a token in the query is not taken where that is switched off', async t => {
  const { alice, agent, socketUrl } = await house(t, { tunnelQueryToken: false });
  const program = agent(`${socketUrl}/reverse-proxy/ws?token=${alice}`, '-');
  await assert.rejects(program.says(/register_ack/), /refused 401/);
});

/** A socket, and everything that comes down on it. */
async function dial(url: string, key: string) {
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
  const came: Record<string, unknown>[] = [];
  let tell = () => {};
  socket.on('message', data => {
    came.push(JSON.parse(data.toString()) as Record<string, unknown>);
    tell();
  });
  const closed = once(socket, 'close') as Promise<[number]>;
  await once(socket, 'open');
  return {
    socket,
    closed,
    up: (frame: unknown) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    async next() {
      if (came.length === 0) await new Promise<void>(resolve => (tell = resolve));
      return came.shift()!;
    },
  };
}

test('a second generation agent hears of its registration when its server has answered; a second register ends it', async t => {
  const { alice, socketUrl } = await house(t);
  const { up, next, closed } = await dial(`${socketUrl}/reverse-proxy/ws`, alice);
  up({ type: 'register', server: { name: 'two' } });
  assert.equal((await next())['status'], 'processing');
  const asked = (await next()) as {
    type: string;
    payload: { id: string; method: string; params: { protocolVersion: string } };
  };
  assert.deepEqual(
    [asked.type, asked.payload.method, asked.payload.params.protocolVersion],
    ['request', 'initialize', '2024-11-05'],
  );
  const result = {
    protocolVersion: '2024-11-05',
    capabilities: { tools: {}, resources: {} },
    serverInfo: {},
  };
  up({ type: 'response', payload: { jsonrpc: '2.0', id: asked.payload.id, result } });
  const said = async () => ((await next()) as { payload: { method: string; id: string } }).payload;
  assert.equal((await said()).method, 'notifications/initialized');
  for (const list of ['tools', 'resources']) {
    const { method, id } = await said();
    assert.equal(method, `${list}/list`);
    up({ type: 'response', payload: { jsonrpc: '2.0', id, result: { [list]: [] } } });
  }
  assert.deepEqual([(await next())['type'], 'success'], ['register_complete', 'success']);
  up({ type: 'register', server: { name: 'two' } });
  assert.equal((await next())['type'], 'error');
  assert.equal((await closed)[0], 1008);
});

test('a second generation agent is cut off at a frame of more than 1 MiB', async t => {
  const { alice, socketUrl } = await house(t);
  const { up, next, closed } = await dial(`${socketUrl}/reverse-proxy/ws`, alice);
  up({ type: 'register', server: { name: 'two' } });
  await next();
  up({ type: 'response', payload: { jsonrpc: '2.0', id: 1, result: 'x'.repeat(1024 * 1024) } });
  assert.equal((await closed)[0], 1009);
});

test('a server that refuses to be initialized is not registered', async t => {
  const { alice, socketUrl } = await house(t);
  const { up, next, closed } = await dial(`${socketUrl}/reverse-proxy/ws`, alice);
  up({ type: 'register', server: { name: 'two' } });
  await next();
  const asked = (await next()) as { payload: { id: string } };
  up({
    type: 'response',
    payload: { jsonrpc: '2.0', id: asked.payload.id, error: { code: -1, message: 'no' } },
  });
  assert.equal((await next())['status'], 'error');
  assert.equal((await closed)[0], 1008);
});

test('bad frames are answered with an error, and the socket stays open', async t => {
  const { alice, socketUrl } = await house(t);
  const { up, next, socket } = await dial(`${socketUrl}/reverse-proxy/ws`, alice);
  for (const frame of [
    '{',
    '[]',
    '5',
    '{"type":5}',
    { type: 'nonsense' },
    { type: 'response' },
    { type: 'notification', payload: [] },
  ]) {
    up(frame);
    assert.equal((await next())['type'], 'error');
  }
  up({ type: 'heartbeat', unknown: 1 });
  assert.equal((await next())['type'], 'heartbeat');
  up({ type: 'register', sessionId: 'x', server: { name: 'late' } });
  assert.equal((await next())['type'], 'register_ack');
  socket.close();
});
