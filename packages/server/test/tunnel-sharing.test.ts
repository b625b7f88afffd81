import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { startUpstream } from './fixtures/upstream.ts';

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
