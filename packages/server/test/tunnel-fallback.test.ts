import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { startGateway } from './fixtures/gateway.ts';
import { skip, startNginx } from './fixtures/nginx.ts';
import { freePort } from './fixtures/ports.ts';
import { TerminalClient } from './fixtures/terminal-client.ts';
import { startUpstream } from './fixtures/upstream.ts';

/**
 * A gateway behind an nginx through which no WebSocket gets, and an agent that knows only the nginx.
 * @param flags what it serves; default: a local server as `wiki`
 */
async function behind(t: TestContext, location: string, flags?: readonly string[]) {
  const local = await startUpstream();
  t.after(() => local.close());
  const gateway = await startGateway(t);
  const port = await freePort();
  const http = `server {
    listen 127.0.0.1:${port};
    client_max_body_size 32m;
    location / { ${location} proxy_pass http://127.0.0.1:${gateway.port}; }
  }`;
  await startNginx(t, { http, ports: [port] });
  const key = await keyOf(gateway, 'alice@corp.example');
  const serves = flags ?? ['--name', 'wiki', '--web', local.url];
  const args = ['--gateway', `http://127.0.0.1:${port}`, ...serves];
  const agent = startAgent(t, args, { SALLYPORT_KEY: key, SHELL: '/bin/sh' });
  await agent.says(/connected {2}(wiki|shell)/);
  return {
    local,
    gateway,
    agent,
    key,
    url: `${gateway.url}/u/alice/wiki`,
    headers: { authorization: `Bearer ${key}` },
  };
}

for (const [how, location] of [
  ['drops what asks for an upgrade', ''],
  ['refuses upgrades', 'if ($http_upgrade) { return 403; }'],
] as const)
  test(`behind a proxy that ${how}, the agent goes on without a WebSocket by itself`, { skip }, async t => {
    const { url, headers, agent, local } = await behind(t, location);
    assert.match(agent.output(), /no WebSocket gets through/);
    const body = Buffer.alloc(4 * 1024 * 1024, 'x');
    local.intercept = (req, res) => {
      if (req.url === '/echo') req.pipe(res.writeHead(200));
      else if (req.url === '/events') res.writeHead(200).write('data: 1\n\n');
      else return false;
      return true;
    };
    const echoed = await fetch(`${url}/echo`, { method: 'POST', headers, body });
    assert.ok(body.equals(Buffer.from(await echoed.arrayBuffer())));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => fetch(`${url}/${n}`, { headers })),
    );
    assert.deepEqual(
      await Promise.all(answers.map(async answer => ((await answer.json()) as { url: string }).url)),
      answers.map((_, n) => `/${n}`),
    );
    const req = get(`${url}/events`, { headers });
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    await once(res, 'data');
    req.destroy();
    await eventually(() => local.aborted === 1);
  });

test('without a WebSocket, too: a gateway that comes back is found again, one that stops does not wait', {
  skip,
}, async t => {
  const { gateway, agent, url, headers } = await behind(t, '');
  const begun = performance.now();
  assert.equal(await gateway.stop(), 0);
  assert.ok(performance.now() - begun < 10_000, 'an open tunnel holds nothing up');
  await gateway.restart();
  await agent.says(/connected {2}wiki[\s\S]*connected {2}wiki/);
  assert.equal((await fetch(`${url}/x`, { headers })).status, 200);
});

test('a laptop’s shell without a WebSocket: typed into, pasted into, printing much, left, come back to, ended', {
  skip,
}, async t => {
  const { gateway, agent, headers } = await behind(t, '', ['--terminal']);
  assert.match(agent.output(), /no WebSocket gets through/);
  const terminals = `${gateway.url}/terminals/alice/shell/api/terminals`;
  const { id } = (await (await fetch(terminals, { method: 'POST', headers })).json()) as { id: string };
  const attach = () => new TerminalClient(`${terminals}/${id}`, { headers }).open();
  const client = await attach();
  client.say({ type: 'resize', cols: 101, rows: 31 });
  client.type('stty size; stty -onlcr -echo -icanon; echo re""ady; head -c 1000000 | wc -c\n');
  await client.shows('31 101');
  await client.shows('ready\n');
  for (let piece = 0; piece < 10; piece++) client.socket.send(Buffer.alloc(100_000, 'x'));
  await client.shows('1000000\n', 30_000);
  const before = client.bytes;
  client.type('yes | head -c 4000000; echo d""one\n');
  await client.shows('done\n', 30_000);
  assert.ok(client.bytes - before >= 4_000_000 + 'done\n'.length);
  client.drop();
  const again = await attach();
  await again.shows('done\n');
  again.type('echo st""ill here; exit\n');
  await again.shows('still here\n');
  assert.deepEqual(await again.end(), { code: 1000, reason: 'the shell has ended' });
});

test('the id of a tunnel opens nothing for another user, and a piece out of turn ends it', {
  skip,
}, async t => {
  const { gateway, key } = await behind(t, '');
  const bob = await keyOf(gateway, 'bob@corp.example');
  const ask = (as: string, method: string, path: string) =>
    fetch(`${gateway.url}/tunnel${path}`, {
      method,
      headers: { authorization: `Bearer ${as}`, 'sallyport-protocol': 'sallyport.h2.v1' },
    });
  const { id } = (await (await ask(key, 'POST', '')).json()) as { id: string };
  assert.equal((await ask(bob, 'GET', `/${id}/down`)).status, 404);
  assert.equal((await ask(bob, 'POST', `/${id}/up?n=0`)).status, 404);
  const down = await ask(key, 'GET', `/${id}/down`);
  assert.equal(down.status, 200);
  assert.equal((await ask(key, 'GET', `/${id}/down`)).status, 409);
  assert.equal((await ask(key, 'POST', `/${id}/up?n=5`)).status, 409);
  await assert.rejects(down.arrayBuffer());
  assert.equal((await ask(key, 'POST', `/${id}/up?n=0`)).status, 404);
  assert.equal((await ask(key, 'GET', '')).status, 426);
});
