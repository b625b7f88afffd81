import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';

/** A local server of WebSockets: echoes what it gets, prefers the subprotocol `chat.2`, refuses `/no`. */
async function startEcho(t: TestContext) {
  const seen: IncomingMessage[] = [];
  const open = new Set<WebSocket>();
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: ({ req }, answer) => answer(!req.url!.startsWith('/no'), 418),
    handleProtocols: offered => (offered.has('chat.2') ? 'chat.2' : false),
  });
  server.on('connection', (socket, req) => {
    seen.push(req);
    open.add(socket);
    socket.send('welcome');
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('close', () => open.delete(socket));
  });
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.terminate();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, open };
}

async function house(t: TestContext, ...args: string[]) {
  const echo = await startEcho(t);
  const gateway = await startGateway(t, {
    config: {
      upstreams: [
        { id: 'site', kind: 'http', url: echo.url, access: { everyone: true } },
        { id: 'vault', kind: 'http', url: echo.url, access: { users: ['alice@corp.example'] } },
        { id: 'spec', kind: 'openai', url: echo.url, models: ['m'], access: { everyone: true } },
      ],
    },
  });
  const key = await keyOf(gateway, 'alice@corp.example');
  const agent = startAgent(t, ['--gateway', gateway.url, '--name', 'wiki', '--web', echo.url, ...args], {
    SALLYPORT_KEY: key,
  });
  await agent.says(/connected {2}wiki/);
  return { echo, gateway, key, agent };
}

/** A client, and everything that it hears from the first moment. */
function dial(t: TestContext, url: string, key: string, offered: string[] = []) {
  const socket = new WebSocket(url.replace('http', 'ws'), offered, {
    headers: { authorization: `Bearer ${key}`, cookie: 'mine=1', 'x-secret': '1' },
  });
  t.after(() => socket.terminate());
  const heard: RawData[] = [];
  let news = () => {};
  socket.on('message', data => {
    heard.push(data);
    news();
  });
  socket.on('error', () => {});
  const opened = once(socket, 'open');
  opened.catch(() => {});
  return {
    socket,
    opened,
    closed: new Promise<number>(resolve => socket.on('close', resolve)),
    /** Why it was not opened. */
    refused: new Promise<number>(resolve =>
      socket.on('unexpected-response', (_req, res: IncomingMessage) => resolve(res.statusCode!)),
    ),
    async next(): Promise<Buffer> {
      while (heard.length === 0) await new Promise<void>(resolve => (news = resolve));
      return heard.shift() as Buffer;
    },
  };
}

for (const [where, path] of [
  ['a server behind a tunnel', '/u/alice/wiki'],
  ['an upstream over the network', '/u/site'],
] as const)
  test(`a WebSocket of ${where}: texts, bytes, subprotocol, what is sent along, and its end`, async t => {
    const { echo, gateway, key } = await house(t);
    const { socket, next, opened, closed } = dial(t, `${gateway.url}${path}/room/1?a=b`, key, [
      'chat.1',
      'chat.2',
    ]);
    await opened;
    assert.equal(socket.protocol, 'chat.2');
    assert.equal(String(await next()), 'welcome');
    const bytes = Buffer.alloc(3 * 1024 * 1024, 'x');
    for (const message of ['grüße', bytes]) socket.send(message);
    assert.equal(String(await next()), 'grüße');
    assert.ok(bytes.equals(await next()), 'large messages come back whole');
    const [seen] = echo.seen;
    assert.equal(seen!.url, '/room/1?a=b');
    for (const header of ['authorization', 'cookie', 'x-secret', 'sec-websocket-extensions'])
      assert.equal(seen!.headers[header], undefined, header);
    // Either end's close is the other's.
    socket.close(4001, 'enough');
    assert.equal(await closed, 4001);
    await eventually(() => echo.open.size === 0);
    const again = dial(t, `${gateway.url}${path}/room/2`, key);
    await again.next();
    for (const one of echo.open) one.close(4002);
    assert.equal(await again.closed, 4002);
  });

test('who may not have it is refused before anything is opened, and a refusal of the local server is passed on', async t => {
  const { echo, gateway, key } = await house(t, '--path', '/room', '--path', '/no');
  const bob = await keyOf(gateway, 'bob@corp.example');
  const refusals: [string, number, number][] = [
    ['/u/alice/wiki/room', 404, 0],
    ['/u/vault/room', 403, 0],
    ['/u/nobody/room', 404, 0],
    ['/u/spec/room', 426, 0],
  ];
  for (const [path, status] of refusals)
    assert.equal(await dial(t, `${gateway.url}${path}`, bob).refused, status, path);
  assert.equal(await dial(t, `${gateway.url}/u/site/room`, 'sp_none').refused, 401);
  assert.equal(await dial(t, `${gateway.url}/u/alice/wiki/no`, key).refused, 418);
  assert.equal(await dial(t, `${gateway.url}/u/site/no`, key).refused, 418);
  assert.equal(await dial(t, `${gateway.url}/u/alice/wiki/other`, key).refused, 403, "the agent's own rules");
  assert.equal(echo.seen.length, 0);
  // A path that some reader takes for another one.
  const raw = connect(gateway.port, '127.0.0.1');
  raw.write(
    `GET /u/alice/wiki/room/..%2fadmin HTTP/1.1\r\nhost: ${new URL(gateway.url).host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nauthorization: Bearer ${key}\r\n\r\n`,
  );
  assert.match(String((await once(raw, 'data'))[0]), /^HTTP\/1\.1 400 /);
  assert.equal(echo.seen.length, 0);
});

test('it ends with what let it in: the key, the sharing, the agent', async t => {
  const { echo, gateway, key, agent } = await house(t);
  const headers = { authorization: `Bearer ${key}` };
  const bob = await keyOf(gateway, 'bob@corp.example');
  const api = async (method: string, path: string, body?: unknown) => {
    const res = await fetch(`${gateway.url}/api/v1/${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return (await res.json()) as { items: { id: string; open_sockets: number; bytes_down: number }[] };
  };
  const share = async (users: string[]) =>
    api('PATCH', `tunnels/${(await api('GET', 'tunnels')).items[0]!.id}`, {
      shared: { everyone: false, users, groups: [] },
    });
  const url = `${gateway.url}/u/alice/wiki`;

  await share(['bob@corp.example']);
  const shared = dial(t, url, bob);
  await shared.next();
  const [shown] = (await api('GET', 'tunnels')).items;
  assert.deepEqual([shown!.open_sockets, shown!.bytes_down > 0], [1, true]);
  await share([]);
  await shared.closed;
  await eventually(() => echo.open.size === 0);
  assert.equal((await api('GET', 'tunnels')).items[0]!.open_sockets, 0);

  const lost = dial(t, url, key);
  await lost.next();
  await agent.kill();
  await lost.closed;

  // By another process, which can tell this one nothing.
  const other = await keyOf(gateway, 'alice@corp.example');
  const me = await fetch(`${gateway.url}/api/v1/me`, { headers: { authorization: `Bearer ${other}` } });
  const { credential_id: id } = (await me.json()) as { credential_id: string };
  const revoked = dial(t, `${gateway.url}/u/site/x`, other);
  await revoked.next();
  assert.equal((await gateway.command('keys', 'revoke', id)).code, 0);
  const begun = performance.now();
  await revoked.closed;
  assert.ok(performance.now() - begun < 5_500, 'in time');
  assert.equal(gateway.process.exitCode, null);
});

test('a client that reads nothing holds up its own WebSocket and nothing else', async t => {
  const { echo, gateway, key } = await house(t);
  const slow = dial(t, `${gateway.url}/u/alice/wiki/slow`, key);
  await slow.next();
  slow.socket.pause();
  const [server] = [...echo.open];
  const piece = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < 32 * 1024 * 1024; sent += piece.length) server!.send(piece);
  const brisk = dial(t, `${gateway.url}/u/alice/wiki/brisk`, key);
  await brisk.next();
  for (let round = 0; round < 50; round++) {
    brisk.socket.send(String(round));
    assert.equal(String(await brisk.next()), String(round));
  }
  assert.ok(server!.bufferedAmount > 16 * 1024 * 1024, 'what is not taken stays where it is');
});
