import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from './fixtures/admin.ts';
import { createBrowser } from './fixtures/browser.ts';
import { eventually } from './fixtures/data-plane.ts';
import { misspelt } from './fixtures/misspelt.ts';
import { TerminalClient } from './fixtures/terminal-client.ts';
import { terminalHouse } from './fixtures/terminal-house.ts';

const { gateway, servers, bearer, as, create, attach } = await terminalHouse({
  box: { generation: 'open-terminal' },
  old: { generation: 'open-terminal-0.11' },
  pod: { generation: 'orchestrator-0.2', config: { policy: 'gpu' } },
  query: { generation: 'orchestrator-0.0' },
  fixed: { generation: 'orchestrator-0.0', config: { attach: 'message' } },
});
const alice = await bearer('alice@corp.example');
const bob = await bearer('bob@corp.example');
const token = (who: Record<string, string>) => who['authorization']!.slice('Bearer '.length);
const auth = (who: Record<string, string>) => JSON.stringify({ type: 'auth', token: token(who) });
const SPEAKS = ['sallyport.terminal.v1'];

test('every generation of servers is attached, with what it wants to see and no more', async () => {
  const me = (await as(alice)('GET', '/api/v1/me')).body.user.id as string;
  for (const name of ['box', 'old', 'pod', 'query']) {
    const context = { 'x-session-id': `chat-of-${name}`, 'x-terminal-context-id': `chat:${name}` };
    const id = await create(alice, name, context);
    const client = attach(name, id, { headers: alice });
    await client.open();
    client.type('echo h""i\n');
    await client.shows('hi\n');
    const { handshakes, texts, key } = servers[name]!;
    const last = handshakes.at(-1)!;
    const url = new URL(last.url, 'http://x');
    assert.equal(url.pathname, `${name === 'pod' ? '/p/gpu' : ''}/api/terminals/${id}`);
    assert.equal(url.searchParams.get('user_id'), me);
    assert.equal(url.searchParams.get('context_id'), `chat:${name}`);
    assert.equal(last.headers['x-terminal-context-id'], `chat:${name}`);
    assert.equal(url.searchParams.get('token'), name === 'query' ? key : null);
    assert.equal(last.headers['x-user-id'], me);
    assert.equal(last.headers['x-session-id'], `chat-of-${name}`);
    assert.equal(last.headers.authorization, `Bearer ${key}`);
    if (name !== 'query')
      assert.deepEqual(JSON.parse(texts[0]!), { type: 'auth', token: key, chat_id: `chat-of-${name}` });
    client.drop();
  }
  // It was found out once; the second time there is no first try without.
  const before = servers['query']!.handshakes.length;
  const again = attach('query', await create(alice, 'query'), { headers: alice });
  await again.open();
  again.type('echo o""k\n');
  await again.shows('ok');
  assert.equal(servers['query']!.handshakes.length, before + 1);
  again.drop();
  assert.ok(!gateway.output().includes(servers['query']!.key), 'the key is in no log');
});

test('a server that takes the token in the query alone is refused it where the upstream says so', async () => {
  const client = attach('fixed', await create(alice, 'fixed'), { headers: alice });
  assert.deepEqual(await client.end(), {
    code: 4001,
    reason: 'The terminal server fixed refuses the credential.',
  });
  assert.ok(servers['fixed']!.handshakes.every(({ url }) => !url.includes('token=')));
});

test('a client proves itself in the handshake, by subprotocol, or by its first message; also where Open WebUI does', async () => {
  const id = await create(alice, 'box');
  const path = `${gateway.url}/api/v1/terminals/box/api/terminals/${id}`;
  for (const [n, way] of [
    () => attach('box', id, { headers: alice }),
    () => attach('box', id, { protocols: [`bearer.${token(alice)}`, ...SPEAKS] }),
    () => attach('box', id, { protocols: [`bearer.${token(alice)}`] }),
    () => attach('box', id, { first: auth(alice) }),
    () =>
      new TerminalClient(path, {
        first: JSON.stringify({ type: 'auth', token: token(alice), chat_id: 'x' }),
      }),
  ].entries()) {
    const client = await way().open();
    if (n === 1) assert.equal(client.socket.protocol, 'sallyport.terminal.v1');
    client.type(`echo w""ay ${n}\n`);
    await client.shows(`way ${n}\n`);
    client.drop();
  }
  assert.ok(!gateway.output().includes(token(alice)));
});

test('what follows the first message in the same breath is not lost', async () => {
  const id = await create(alice, 'box');
  const client = attach('box', id);
  await client.open();
  client.socket.send(auth(alice));
  client.say({ type: 'resize', cols: 100, rows: 40 });
  client.type('echo qu""ick\n');
  await client.shows('quick');
  assert.ok(servers['box']!.texts.includes('{"type":"resize","cols":100,"rows":40}'));
  client.drop();
});

test('nobody else attaches, and who does not say who they are is closed', async () => {
  const id = await create(alice, 'box');
  const wrong = { authorization: 'Bearer sp_wrong' };
  assert.equal((await attach('box', id, { headers: wrong }).end()).code, 401);
  assert.equal((await attach('box', id, { protocols: ['bearer.sp_wrong'] }).end()).code, 401);
  assert.equal((await attach('box', id, { first: auth(wrong) }).end()).code, 4001);
  assert.equal((await attach('box', id, { first: Buffer.from(auth(alice)) }).end()).code, 4001);
  assert.equal((await attach('box', id, { first: '{"type":"resize","cols":1,"rows":1}' }).end()).code, 4001);
  assert.equal((await attach('box', id, { first: 'nonsense' }).end()).code, 4001);
  // Another's, one of nobody's.
  const before = servers['box']!.handshakes.length;
  const unknown = await attach('box', 'nothing', { headers: bob }).end();
  assert.equal(unknown.code, 4004);
  assert.deepEqual(await attach('box', id, { headers: bob }).end(), unknown);
  assert.equal((await attach('box', id, { headers: bob, query: '?user_id=x&token=y' }).end()).code, 4004);
  assert.deepEqual(await attach('box', id, { first: auth(bob) }).end(), unknown);
  assert.equal(servers['box']!.handshakes.length, before);
  // Who a terminal is attached for is not the client's to say.
  const mine = attach('box', id, { headers: { ...alice, 'x-user-id': 'root' }, query: '?user_id=root' });
  await mine.open();
  mine.type('echo m""e\n');
  await mine.shows('me');
  assert.ok(!JSON.stringify(servers['box']!.handshakes.at(-1)).includes('root'));
  mine.drop();
});

test('no spelling of a path attaches anything, and no query says for whom, at a server of any generation', async () => {
  const me = (await as(alice)('GET', '/api/v1/me')).body.user.id as string;
  for (const [name, server] of Object.entries(servers)) {
    if (name === 'fixed') continue;
    const id = await create(alice, name);
    const before = server.handshakes.length;
    // Such a path is no way to one's own terminal either.
    for (const path of misspelt(id))
      for (const headers of [alice, bob]) {
        const whole = `/terminals/${name}/${path}`;
        const { code } = await new TerminalClient(gateway.url, { headers, path: whole }).end();
        assert.ok(code === 4004 || code === 400, `${whole} ${code}`);
      }
    for (const query of [`?user_id=${me}`, `?user_id=${me}&token=${server.key}`, `?%75ser_id=${me}`])
      assert.equal((await attach(name, id, { headers: bob, query }).end()).code, 4004);
    assert.equal(server.handshakes.length, before, name);
    const query = '?user_id=root&user_id=bob&context_id=chat:9&token=stolen';
    const mine = await attach(name, id, { headers: { ...alice, 'x-user-id': 'root' }, query }).open();
    mine.type('echo m""e\n');
    await mine.shows('me');
    const { url, headers } = server.handshakes.at(-1)!;
    const { searchParams } = new URL(url, 'http://server');
    assert.deepEqual(searchParams.getAll('user_id'), [me]);
    assert.equal(searchParams.get('context_id'), null);
    assert.ok(!url.includes('stolen') && headers['x-user-id'] === me);
    mine.drop();
  }
});

test('a stranger is heard 4 KiB of, and no more', async () => {
  const id = await create(alice, 'box');
  const large = (bytes: number) => JSON.stringify({ type: 'auth', token: 'x'.repeat(bytes) });
  for (const bytes of [4096, 900_000, 1024 * 1024]) {
    const { code } = await attach('box', id, { first: large(bytes) }).end();
    // One that is still sending may hear of the end of its connection alone.
    assert.ok([4001, 1009, 1006].includes(code), `${code}`);
  }
});

test('keystrokes, pastes, sizes and ends go through; a size that no screen has does not', async () => {
  const server = servers['box']!;
  const id = await create(alice, 'box');
  const client = attach('box', id, { headers: alice, protocols: SPEAKS });
  await client.open();
  assert.deepEqual(await client.told('attached'), {
    type: 'attached',
    mode: 'own',
    from: 0,
    to: 0,
    lost: 0,
    cols: null,
    rows: null,
  });
  const texts = server.texts.length;
  for (const [cols, rows] of [
    [100_000, 40],
    [0, 40],
    [80.5, 40],
    ['80', 40],
    [-1, 1],
  ])
    client.say({ type: 'resize', cols, rows });
  client.socket.send('not json');
  client.say({ type: 'resize', cols: 120, rows: 50, more: 'x' });
  client.type('cat | sha256sum\n');
  const megabyte = Buffer.alloc(1024 * 1024 - 1, 'x');
  client.socket.send(megabyte);
  client.type('\n');
  client.socket.send(Buffer.alloc(1024 * 1024 + 1));
  assert.equal((await client.end()).code, 1009, 'no frame is larger');
  assert.deepEqual(server.texts.slice(texts), ['{"type":"resize","cols":120,"rows":50}']);
});

test('an exit is told, also of a server that does not tell it', async () => {
  for (const name of ['box', 'old']) {
    const id = await create(alice, name);
    const client = attach(name, id, { headers: alice, protocols: SPEAKS });
    await client.open();
    client.type('exit\n');
    await client.told('exit');
    assert.deepEqual(await client.end(), { code: 1000, reason: 'the shell has ended' });
    await eventually(() => servers[name]!.shells.size === 0 || !servers[name]!.shells.has(id));
    assert.equal((await attach(name, id, { headers: alice }).end()).code, 4004);
  }
});

test('a terminal that was made in a chat is listed beside the others while it is open, and to nobody else', async () => {
  const [carol, dave] = [await bearer('carla@corp.example'), await bearer('dave@corp.example')];
  const list = async (who: Record<string, string>) =>
    (await as(who)('GET', '/terminals/box/api/terminals')).body as { id: string; attached: boolean }[];
  const chat = await create(carol, 'box', { 'x-session-id': 'chat-of-carla' });
  const plain = await create(carol, 'box');
  const client = attach('box', chat, { headers: carol, protocols: SPEAKS });
  await client.told('attached');
  assert.deepEqual(
    (await list(carol)).map(({ id, attached }) => [id, attached]),
    [
      [plain, false],
      [chat, true],
    ],
  );
  const inChat = await list({ ...carol, 'x-session-id': 'chat-of-carla' });
  assert.deepEqual(
    inChat.map(({ id }) => id),
    [chat],
  );
  assert.deepEqual(await list(dave), []);
  client.type('exit\n');
  await client.end();
  await eventually(() => !servers['box']!.shells.has(chat));
  assert.deepEqual(
    (await list(carol)).map(({ id }) => id),
    [plain],
  );
});

test('a shell that is gone at its server is told as such, and no token goes into a URL for it', async () => {
  const server = servers['box']!;
  const id = await create(alice, 'box');
  server.shells.get(id)!.child.kill('SIGKILL');
  await eventually(() => !server.shells.has(id));
  assert.equal((await attach('box', id, { headers: alice }).end()).code, 4004);
  assert.ok(server.handshakes.every(({ url }) => !url.includes('token=')));
});

test('a key that is revoked, a user who is disabled, a server that is taken from one and a server that is removed take their terminals along', async () => {
  const admin = { authorization: `Bearer ${await keyOf(gateway, 'root@corp.example', '--admin')}` };
  const server = servers['box']!;
  const carol = await bearer('carol@corp.example');
  const open = async (name: string, who: Record<string, string>) => {
    const client = attach(name, await create(who, name), { headers: who });
    await client.open();
    client.type('echo h""i\n');
    await client.shows('hi');
    return client;
  };
  const byKey = await open('box', await bearer('carol@corp.example'));
  const keys = (await as(carol)('GET', '/api/v1/keys')).body.items as { id: string }[];
  const me = (await as(carol)('GET', '/api/v1/me')).body;
  const other = keys.find(({ id }) => id !== me.credential_id)!;
  assert.equal((await as(carol)('DELETE', `/api/v1/keys/${other.id}`)).status, 204);
  assert.deepEqual(await byKey.end(), { code: 4001, reason: 'the credential is no longer valid' });

  const client = await open('box', carol);
  const shells = server.shells.size;
  assert.equal((await as(admin)('PATCH', `/api/v1/users/${me.user.id}`, { disabled: true })).status, 200);
  assert.equal((await client.end()).code, 4001);
  await eventually(() => server.shells.size < shells);

  const draft = {
    id: 'added',
    name: 'Added',
    kind: 'terminal',
    url: server.url,
    credential: { use: 'key', key: server.key },
    access: { everyone: true },
  };
  assert.equal((await as(admin)('POST', '/api/v1/upstreams', draft)).status, 201);
  const denied = await open('added', alice);
  const forAdmins = { ...draft, access: {} };
  assert.equal((await as(admin)('PUT', '/api/v1/upstreams/added', forAdmins)).status, 200);
  assert.equal((await denied.end()).code, 4003);
  assert.equal((await as(admin)('PUT', '/api/v1/upstreams/added', draft)).status, 200);
  const removed = await open('added', alice);
  assert.equal((await as(admin)('DELETE', '/api/v1/upstreams/added')).status, 204);
  assert.equal((await removed.end()).code, 4003);

  const events = (await as(admin)('GET', '/api/v1/audit?action=terminal.*')).body.items as {
    action: string;
    target: string;
    detail: Record<string, unknown>;
  }[];
  const last = events.find(({ action, target }) => action === 'terminal.close' && target === 'added')!;
  assert.equal(last.detail['code'], 4003);
  assert.equal(last.detail['bytes_up'], 'echo h""i\n'.length);
});

test('another site opens nothing with its visitor’s session', async () => {
  const link = /(http:\S+first-admin\S*|http:\S+admin\S*)/.exec(gateway.output())?.[1];
  assert.ok(link, gateway.output());
  const browser = createBrowser();
  await browser.get(link);
  const cookie = `oauth_session_id=${browser.cookie(gateway.url, 'oauth_session_id')}`;
  const id = await create({ cookie, origin: gateway.url }, 'box');
  const before = servers['box']!.handshakes.length;
  for (const [header, from] of [
    ['origin', 'https://evil.example'],
    ['origin', `${gateway.url}.evil.example`],
    ['origin', 'null'],
    ['sec-fetch-site', 'cross-site'],
  ] as const)
    for (const protocols of [[], SPEAKS]) {
      const evil = attach('box', id, { headers: { cookie, [header]: from }, protocols });
      assert.equal((await evil.end()).code, 403, from);
    }
  assert.equal(servers['box']!.handshakes.length, before);
  const own = attach('box', id, { headers: { cookie, origin: gateway.url } });
  await own.open();
  own.type('echo h""i\n');
  await own.shows('hi');
  own.drop();
});
