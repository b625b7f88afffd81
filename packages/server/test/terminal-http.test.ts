import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { callerWith, keyOf } from './fixtures/admin.ts';
import { startGateway } from './fixtures/gateway.ts';
import { misspelt, statusOf } from './fixtures/misspelt.ts';
import { startTerminalServer } from './fixtures/terminal-server.ts';

/** What is shared by all of the file ends with it. */
const cleanup = { after } as unknown as TestContext;
const servers = {
  box: await startTerminalServer(cleanup, 'open-terminal'),
  pod: await startTerminalServer(cleanup, 'orchestrator-0.2'),
  old: await startTerminalServer(cleanup, 'open-terminal-0.11'),
};
const at = (id: keyof typeof servers, more: Record<string, unknown> = {}) => ({
  id,
  kind: 'terminal',
  url: servers[id].url,
  credential: { use: 'key', key: 'env:TERMINAL_KEY' },
  access: { everyone: true },
  ...more,
});
const gateway = await startGateway(cleanup, {
  config: {
    upstreams: [
      at('box'),
      at('pod', { policy: 'gpu' }),
      at('old'),
      { id: 'wiki', kind: 'http', url: servers.box.url, access: { everyone: true } },
      { id: 'vault', kind: 'terminal', url: servers.box.url },
    ],
  },
  env: { TERMINAL_KEY: servers.box.key },
});
const bearer = async (email: string) => ({ authorization: `Bearer ${await keyOf(gateway, email)}` });
const alice = await bearer('alice@corp.example');
const bob = await bearer('bob@corp.example');
const as = (who: Record<string, string>, headers: Record<string, string> = {}) =>
  callerWith(gateway, { ...who, ...headers });

test('a terminal is made, listed, read and deleted by its maker, and is not there for anybody else', async () => {
  const made = await as(alice)('POST', '/terminals/box/api/terminals');
  assert.equal(made.status, 200);
  const { id } = made.body as { id: string };
  const mine = `/terminals/box/api/terminals/${id}`;
  assert.equal((await as(alice)('GET', mine)).body.id, id);
  const listed = (await as(alice)('GET', '/terminals/box/api/terminals')).body;
  assert.deepEqual(
    listed.map((one: { id: string; attached: boolean }) => [one.id, one.attached]),
    [[id, false]],
  );

  const before = servers.box.calls.length;
  assert.deepEqual((await as(bob)('GET', '/terminals/box/api/terminals')).body, []);
  const unknown = await as(bob)('GET', '/terminals/box/api/terminals/nothing');
  for (const [method, path] of [
    ['GET', mine],
    ['DELETE', mine],
    ['GET', `${mine}/files`],
    ['GET', `/api/v1/terminals/box/api/terminals/${id}`],
  ] as const) {
    const refused = await as(bob)(method, path);
    assert.deepEqual([refused.status, refused.text], [404, unknown.text], `${method} ${path}`);
  }
  // Nor what lies in the directory of its session.
  assert.equal((await as(bob, { 'x-session-id': id })('GET', '/terminals/box/files/list')).status, 404);
  assert.equal(servers.box.calls.length, before + 1, 'only the list went there');

  assert.equal((await as(alice)('DELETE', mine)).body.status, 'deleted');
  assert.equal((await as(alice)('GET', mine)).status, 404);
  assert.equal(servers.box.shells.has(id), false);
});

test('the server is told who calls by us alone; its key, session and context reach it', async () => {
  const me = (await as(alice)('GET', '/api/v1/me')).body.user.id as string;
  const headers = {
    'x-user-id': 'usr_of_somebody_else',
    'x-session-id': 'chat-1',
    'x-terminal-context-id': 'chat:1',
    'x-forwarded-user': 'root',
    cookie: 'a=b',
  };
  const { body } = await as(alice, headers)('GET', '/terminals/box/ports?a=%20b');
  const seen = body as { url: string; headers: Record<string, string> };
  assert.equal(seen.url, '/ports?a=%20b');
  assert.equal(seen.headers['x-user-id'], me);
  assert.equal(seen.headers['authorization'], `Bearer ${servers.box.key}`);
  assert.equal(seen.headers['x-session-id'], 'chat-1');
  assert.equal(seen.headers['x-terminal-context-id'], 'chat:1');
  for (const name of ['cookie', 'x-forwarded-user']) assert.equal(seen.headers[name], undefined);
  const odd = await as(alice, { 'x-terminal-context-id': 'chat:1&user_id=2' })('GET', '/terminals/box/ports');
  assert.equal(odd.status, 400);
  // In the query of a terminal's call it would be somebody else's word.
  await as(alice)('GET', '/terminals/box/api/terminals?user_id=x&%75ser_id=y&token=z&page=1');
  assert.equal(servers.box.calls.at(-1)!.url, '/api/terminals?page=1');
});

test('no spelling of a path leads to another one, at a server of any generation', async () => {
  for (const [name, server] of Object.entries(servers)) {
    const { id } = (await as(alice)('POST', `/terminals/${name}/api/terminals`)).body;
    const before = server.calls.length;
    for (const path of misspelt(id)) {
      const status = await statusOf(gateway.url, 'GET', `/terminals/${name}/${path}`, bob);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    }
    assert.equal(server.calls.length, before, name);
    assert.equal((await as(alice)('DELETE', `/terminals/${name}/api/terminals/${id}`)).status, 200);
  }
});

test('what an agent reads of its user’s shell, and types into it, goes to the server by our word for the user', async () => {
  const me = (await as(alice)('GET', '/api/v1/me')).body.user.id as string;
  const session = { 'x-session-id': 'chat-of-agent' };
  for (const [method, what] of [
    ['GET', 'output'],
    ['POST', 'input'],
  ] as const) {
    const claim = { ...session, 'x-user-id': 'root' };
    const path = `/terminals/box/api/terminals/user/${what}`;
    const { body } = await as(alice, claim)(method, path);
    const { url, headers } = body as { url: string; headers: Record<string, string> };
    assert.equal(url, `/api/terminals/user/${what}`);
    assert.deepEqual([headers['x-user-id'], headers['x-session-id']], [me, 'chat-of-agent']);
  }
  assert.equal((await as(alice, session)('POST', '/terminals/box/api/terminals')).status, 200);
  assert.equal(
    (await as(bob, session)('GET', '/terminals/box/api/terminals/user/output')).status,
    404,
    'another’s session',
  );
  assert.equal((await as(alice)('GET', '/terminals/box/api/terminals/user')).status, 404);
  assert.equal((await as(alice)('GET', '/terminals/box/api/terminals/user/output/x')).status, 404);
});

test('uploads and downloads stream', async () => {
  const size = 64 * 2 ** 20;
  const down = await fetch(`${gateway.url}/terminals/box/files/download?bytes=${size}`, { headers: alice });
  let bytes = 0;
  for await (const chunk of down.body!) bytes += (chunk as Uint8Array).length;
  assert.equal(bytes, size);
  const sent = new ReadableStream({
    start(controller) {
      for (let n = 0; n < 64; n++) controller.enqueue(new Uint8Array(2 ** 20));
      controller.close();
    },
  });
  const up = await fetch(`${gateway.url}/terminals/box/files/upload`, {
    method: 'POST',
    headers: alice,
    body: sent,
    duplex: 'half',
  } as RequestInit);
  assert.equal(((await up.json()) as { bytes: number }).bytes, size);
});

test('a policy stands before every path; an orchestrator keeps users apart by our word', async () => {
  const before = servers.pod.calls.length;
  const { id } = (await as(alice)('POST', '/terminals/pod/api/terminals')).body;
  await as(alice)('GET', `/terminals/pod/api/terminals/${id}`);
  await as(alice)('GET', '/terminals/pod/health');
  assert.deepEqual(
    servers.pod.calls.slice(before).map(({ url }) => url),
    ['/p/gpu/api/terminals', `/p/gpu/api/terminals/${id}`, '/p/gpu/health'],
  );
});

test('removing a server, or a person, says how many terminals end with it', async () => {
  const root = as({ authorization: `Bearer ${await keyOf(gateway, 'root@corp.example', '--admin')}` });
  const { access, url } = at('box');
  const credential = { use: 'key', key: servers.box.key };
  const added = { id: 'more', name: 'More', kind: 'terminal', url, credential, access };
  assert.equal((await root('POST', '/api/v1/upstreams', added)).status, 201);
  const carol = as(await bearer('carol@corp.example'));
  const { id } = (await carol('GET', '/api/v1/me')).body.user;
  const going = async () => [
    (await root('GET', '/api/v1/upstreams/more/consequences')).body.terminals,
    (await root('GET', `/api/v1/users/${id}/consequences`)).body.terminals,
  ];
  assert.deepEqual(await going(), [0, 0]);
  assert.equal((await carol('POST', '/terminals/more/api/terminals')).status, 200);
  assert.deepEqual(await going(), [1, 1]);
  assert.equal((await root('DELETE', '/api/v1/upstreams/more')).status, 204);
});

test('an older server that names terminals by their session lets nobody take another’s', async () => {
  const session = { 'x-session-id': 'chat-7' };
  assert.equal((await as(alice, session)('POST', '/terminals/old/api/terminals')).body.id, 'chat-7');
  const { pid } = servers.old.shells.get('chat-7')!.child;
  assert.equal((await as(bob, session)('POST', '/terminals/old/api/terminals')).status, 404);
  assert.equal(servers.old.shells.get('chat-7')!.child.pid, pid);
  // The maker's own takes its place, as it does there.
  assert.equal((await as(alice, session)('POST', '/terminals/old/api/terminals')).status, 200);
});

test('the list has the servers that the caller may use; others, and what is no terminal server, are refused', async () => {
  const { body } = await as(alice)('GET', '/terminals/');
  assert.deepEqual(body.terminals, [
    { id: 'box', name: 'box', embedded: false, recording: false, state: 'ready' },
    { id: 'pod', name: 'pod', embedded: false, recording: false, state: 'ready' },
    { id: 'old', name: 'old', embedded: false, recording: false, state: 'ready' },
  ]);
  assert.deepEqual(
    (await as(alice)('GET', '/api/v1/terminals/')).body.map((one: { id: string }) => one.id),
    ['box', 'pod', 'old'],
  );
  assert.equal((await as({})('GET', '/terminals/')).status, 401);
  assert.equal((await as(alice)('GET', '/terminals/vault/health')).status, 403);
  assert.equal((await as(alice)('GET', '/terminals/wiki/health')).status, 404);
  assert.equal((await as(alice)('GET', '/terminals/nowhere/health')).status, 404);
  const home = (await as(alice)('GET', '/api/v1/home')).body.items as { id: string; base_url: string }[];
  assert.equal(home.find(({ id }) => id === 'box')!.base_url, `${gateway.url}/terminals/box`);
});
