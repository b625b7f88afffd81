import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { startUpstream } from './fixtures/upstream.ts';

const EVERYTHING = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);

interface TunnelView {
  id: string;
  name: string;
  connected: boolean;
  calls: number;
  bytes_down: number;
  latency_ms: number | null;
  url: string;
  last_error: unknown;
  owner: string;
  may_change: boolean;
  shared: unknown;
  address: string | null;
}

async function house(t: TestContext) {
  const local = await startUpstream();
  t.after(() => local.close());
  const gateway = await startGateway(t, {
    config: { upstreams: [{ id: 'payroll', kind: 'http', url: local.url, access: { everyone: true } }] },
  });
  const alice = await keyOf(gateway, 'alice@corp.example');
  const bob = await keyOf(gateway, 'bob@corp.example');
  const admin = await keyOf(gateway, 'root@corp.example', '--admin');
  const args = ['--gateway', gateway.url, '--name', 'wiki', '--web', local.url];
  const agent = startAgent(t, args, { SALLYPORT_KEY: alice });
  await agent.says(/connected {2}wiki/);
  const as = async (key: string, method: string, path: string, body?: unknown) => {
    const res = await fetch(`${gateway.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await res.text();
    return {
      status: res.status,
      body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  };
  const list = async (key: string) => (await as(key, 'GET', '/api/v1/tunnels')).body['items'] as TunnelView[];
  return { local, gateway, agent, alice, bob, admin, as, list };
}

test('a tunnel is its own until it is shared, and no longer than it is', async t => {
  const { alice, bob, admin, as, list, local } = await house(t);
  await as(alice, 'GET', '/u/alice/wiki/1');
  const [mine] = await list(alice);
  assert.deepEqual(
    [mine!.name, mine!.connected, mine!.calls, mine!.last_error],
    ['alice/wiki', true, 1, null],
  );
  assert.ok(mine!.bytes_down > 0 && mine!.latency_ms! > 0);
  assert.deepEqual(await list(bob), []);
  assert.equal((await list(admin)).length, 1);
  const { id } = mine!;

  // As if it did not exist.
  const unseen = (await as(bob, 'GET', '/u/alice/wiki/1')) as { status: number; body: unknown };
  const none = await as(bob, 'GET', '/u/alice/none/1');
  assert.deepEqual([unseen.status, unseen.body], [404, none.body]);
  for (const method of ['PATCH', 'DELETE'])
    assert.equal(
      (await as(bob, method, `/api/v1/tunnels/${id}`, method === 'PATCH' ? {} : undefined)).status,
      404,
    );
  const shared = { everyone: false, users: ['Bob@corp.example'], groups: [] };
  assert.equal((await as(alice, 'PATCH', `/api/v1/tunnels/${id}`, { shared })).status, 200);
  assert.equal((await as(bob, 'GET', '/u/alice/wiki/1')).status, 200);
  const [theirs] = await list(bob);
  assert.deepEqual(
    [theirs!.name, theirs!.owner, theirs!.may_change, theirs!.shared, theirs!.address],
    ['alice/wiki', 'alice@corp.example', false, null, null],
  );
  const goes = async (key: string) => as(key, 'GET', `/api/v1/tunnels/${id}/consequences`);
  assert.equal((await goes(bob)).status, 404);
  const { body: consequences } = await goes(alice);
  assert.deepEqual(consequences, {
    open_calls: 0,
    shared_with: ['bob@corp.example'],
    plain_names: [],
    keys_limited_to_it: 0,
  });
  const { id: owner } = (await as(alice, 'GET', '/api/v1/me')).body['user'] as { id: string };
  const { body: ofOwner } = await as(admin, 'GET', `/api/v1/users/${owner}/consequences`);
  assert.equal(ofOwner['tunnels'], 1);
  const home = (await as(bob, 'GET', '/api/v1/home')).body['items'] as { id: string; state: string }[];
  assert.deepEqual(
    home.map(({ id, state }) => [id, state]),
    [
      ['payroll', 'ready'],
      ['alice/wiki', 'ready'],
    ],
  );

  // Taken back while a call is under way.
  local.intercept = req => req.url === '/silent';
  const waiting = as(bob, 'GET', '/u/alice/wiki/silent');
  await eventually(() => local.busy === 1);
  await as(admin, 'PATCH', `/api/v1/tunnels/${id}`, { shared: { everyone: false, users: [], groups: [] } });
  assert.equal((await waiting).status, 403);
  await eventually(() => local.busy === 0);
});

test('an admin gives a plain name, which takes no place of an upstream or a user', async t => {
  const { alice, admin, as, list } = await house(t);
  const { id } = (await list(alice))[0]!;
  const alias = (key: string, name: string | null) =>
    as(key, 'PATCH', `/api/v1/tunnels/${id}`, { alias: name });
  assert.equal((await alias(alice, 'wiki')).status, 403);
  assert.equal((await alias(admin, 'payroll')).status, 409);
  assert.equal((await alias(admin, 'alice')).status, 409);
  assert.equal((await alias(admin, 'wiki')).status, 200);
  assert.equal((await as(alice, 'GET', '/u/wiki/1')).status, 200);
  assert.equal((await alias(admin, null)).status, 200);
  assert.equal((await as(alice, 'GET', '/u/wiki/1')).status, 404);
});

test('a tunnel that its owner ends is gone, its agent stays away, and the audit tells of all of it', async t => {
  const { alice, admin, as, list, agent, local } = await house(t);
  const { id } = (await list(alice))[0]!;
  local.intercept = req => req.url === '/silent';
  const waiting = as(alice, 'GET', '/u/alice/wiki/silent');
  await eventually(() => local.busy === 1);
  assert.equal((await as(alice, 'DELETE', `/api/v1/tunnels/${id}`)).status, 204);
  assert.ok((await waiting).status >= 400);
  await agent.says(/ended the tunnel: its owner or an admin disconnected it/);
  assert.equal((await as(alice, 'GET', '/u/alice/wiki/1')).status, 404);
  assert.deepEqual(await list(alice), []);
  const audit = (await as(admin, 'GET', '/api/v1/audit?action=tunnel.*')).body['items'] as {
    action: string;
  }[];
  assert.deepEqual(audit.map(({ action }) => action).sort(), [
    'tunnel.close',
    'tunnel.open',
    'tunnel.remove',
  ]);
});

test('a tunnel whose agent is away is still there, and says so', async t => {
  const { alice, as, list, agent, gateway } = await house(t);
  await agent.kill();
  while ((await list(alice))[0]!.connected);
  const home = (await as(alice, 'GET', '/api/v1/home')).body['items'] as {
    id: string;
    state: string;
    detail: string;
  }[];
  const [, wiki] = home;
  assert.deepEqual(
    [wiki!.id, wiki!.state, wiki!.detail],
    ['alice/wiki', 'failing', 'Its agent is not connected.'],
  );
  await gateway.stop();
  await gateway.restart();
  assert.equal((await list(alice))[0]!.connected, false);
});

test('of a shared tunnel some tools may be called by all, and others by a group, whoever shares it', async t => {
  const { gateway, alice, bob, as, list } = await house(t);
  const args = ['--gateway', gateway.url, '--name', 'tools', '--', process.execPath, EVERYTHING];
  const agent = startAgent(t, args, { SALLYPORT_KEY: alice });
  await agent.says(/connected {2}tools/);
  const { id } = (await list(alice)).find(({ name }) => name === 'alice/tools')!;
  const shared = { everyone: true, users: [], groups: [] };
  const rules = { deny: ['get-env'], groups: { interns: { allow: ['echo'] } } };
  const changed = await as(alice, 'PATCH', `/api/v1/tunnels/${id}`, { shared, tools: rules });
  assert.deepEqual([changed.status, changed.body['tools']], [200, rules]);
  assert.equal(
    ((await list(bob)).find(one => one.id === id) as unknown as { tools: unknown }).tools,
    null,
    'the rules are their own to see',
  );

  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const ask = async (key: string, method: string, params: Record<string, unknown>) => {
    const res = await fetch(`${gateway.url}/mcp/alice/tools`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof params['name'] === 'string' && { 'mcp-name': params['name'] }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
    });
    return { status: res.status, text: await res.text() };
  };
  for (const key of [alice, bob]) {
    const listed = await ask(key, 'tools/list', {});
    assert.match(listed.text, /"get-sum"/);
    assert.doesNotMatch(listed.text, /"get-env"/);
    assert.equal((await ask(key, 'tools/call', { name: 'get-env', arguments: {} })).status, 403);
    assert.equal((await ask(key, 'tools/call', { name: 'echo', arguments: { message: 'x' } })).status, 200);
  }
  const wiki = (await list(alice)).find(({ name }) => name === 'alice/wiki')!;
  const none = await as(alice, 'PATCH', `/api/v1/tunnels/${wiki.id}`, { tools: { deny: ['x'] } });
  assert.deepEqual([none.status, none.body['detail']], [400, 'Only MCP servers have tools.']);

  // They outlive agent and gateway, and are taken back.
  await gateway.kill();
  await gateway.restart();
  await agent.says(/(connected {2}tools.*){2}/s);
  assert.equal((await ask(bob, 'tools/call', { name: 'get-env', arguments: {} })).status, 403);
  assert.equal((await as(alice, 'PATCH', `/api/v1/tunnels/${id}`, { tools: null })).status, 200);
  assert.equal((await ask(bob, 'tools/call', { name: 'get-env', arguments: {} })).status, 200);
});
