import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type Agent, keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { type Gateway, startGateway } from './fixtures/gateway.ts';
import { startUpstream } from './fixtures/upstream.ts';

const SERVED = /connected {2}wiki/;

/** A gateway, an agent, and behind it a local server: three processes, as in life. */
async function house(t: TestContext, more: { config?: Record<string, unknown>; args?: string[] } = {}) {
  const local = await startUpstream();
  t.after(() => local.close());
  const gateway = await startGateway(t, more.config === undefined ? {} : { config: more.config });
  const key = await keyOf(gateway, 'alice@corp.example');
  const args = ['--gateway', gateway.url, '--name', 'wiki', '--web', local.url, ...(more.args ?? [])];
  const agent = startAgent(t, args, { SALLYPORT_KEY: key });
  await agent.says(SERVED);
  const url = `${gateway.url}/u/alice/wiki`;
  return { local, gateway, key, agent, args, url, headers: { authorization: `Bearer ${key}` } };
}

test('a local HTTP server is reached through the gateway, by its owner and nobody else', async t => {
  const { url, headers, local, gateway, agent } = await house(t);
  assert.match(agent.output(), /connected {2}wiki {2}-> {2}http:\/\/localhost:\d+\/u\/alice\/wiki/);

  const res = await fetch(`${url}/pages/1?q=a%20b`, {
    method: 'PUT',
    headers: { ...headers, cookie: 'a=b', 'x-forwarded-for': '1.2.3.4', 'content-type': 'text/plain' },
    body: 'hello',
  });
  assert.equal(res.status, 200);
  const seen = local.requests[0]!;
  assert.deepEqual([seen.method, seen.url, seen.body], ['PUT', '/pages/1?q=a%20b', 'hello']);
  assert.equal(seen.headers['content-type'], 'text/plain');
  assert.equal(seen.headers.host, new URL(local.url).host);
  for (const name of ['authorization', 'cookie', 'x-forwarded-for', 'connection-id'])
    assert.equal(seen.headers[name], undefined, name);

  const bob = await keyOf(gateway, 'bob@corp.example');
  const refused = await fetch(`${url}/pages/1`, { headers: { authorization: `Bearer ${bob}` } });
  assert.deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [404, 'not_found']);
  assert.equal((await fetch(`${gateway.url}/u/alice/other`, { headers })).status, 404);
  assert.equal(local.requests.length, 1);
});

test('what a request carries is its body to the local server, and never another request', async t => {
  const { url, headers, local } = await house(t);
  const hidden = 'GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n';
  for (const method of ['GET', 'DELETE', 'OPTIONS', 'POST']) {
    const asked = request(`${url}/shown`, {
      method,
      headers: { ...headers, 'transfer-encoding': 'chunked' },
    });
    asked.end(hidden);
    const [res] = (await once(asked, 'response')) as [IncomingMessage];
    res.resume();
    await once(res, 'end');
    assert.equal(res.statusCode, 200, method);
    assert.equal(local.requests.at(-1)!.body, hidden, method);
  }
  assert.deepEqual(new Set(local.requests.map(seen => seen.url)), new Set(['/shown']));
  const none = await fetch(`${url}/none`, { method: 'POST', headers });
  assert.equal(none.status, 200);
  assert.equal(local.requests.at(-1)!.headers['content-length'], '0');
});

test('what a local server cannot be asked, and what it answers that is no answer, fails by itself', async t => {
  const { url, headers, local, agent } = await house(t);
  local.intercept = (req, res) => {
    if (req.url !== '/switch') return false;
    res.writeHead(101, { connection: 'Upgrade', upgrade: 'other' }).end();
    return true;
  };
  const under = fetch(`${url}/pages/1`, { headers });
  assert.equal((await fetch(`${url}/switch`, { headers })).status, 502);
  const trailed = request(`${url}/trailed`, { method: 'POST', headers: { ...headers, trailer: 'x-sum' } });
  trailed.write('it');
  trailed.addTrailers({ 'x-sum': '1' });
  trailed.end();
  const [res] = (await once(trailed, 'response')) as [IncomingMessage];
  res.resume();
  assert.equal(res.statusCode, 200);
  assert.equal((await under).status, 200);
  assert.doesNotMatch(agent.output(), /next try/);
});

test('16 MiB go up and down byte for byte, and events come one by one', async t => {
  const { url, headers, local } = await house(t);
  const body = Buffer.alloc(16 * 1024 * 1024);
  for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i);
  local.intercept = (req, res) => {
    if (req.url === '/echo') req.pipe(res.writeHead(200));
    else res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    return true;
  };
  const echoed = await fetch(`${url}/echo`, { method: 'POST', headers, body });
  const came = Buffer.from(await echoed.arrayBuffer());
  assert.deepEqual([came.length, body.equals(came)], [body.length, true]);

  const req = get(`${url}/events`, { headers });
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const [first] = (await once(res, 'data')) as [Buffer];
  assert.equal(first.toString(), 'data: 1\n\n');
  // The caller leaves, and the local server is told.
  assert.equal(local.aborted, 0);
  req.destroy();
  await eventually(() => local.aborted === 1);
});

test('headers that are longer than a tunnel carries end their own call, and no other', async t => {
  const { url, headers, local, agent } = await house(t);
  local.intercept = req => req.url === '/silent';
  const waiting = new AbortController();
  const silent = fetch(`${url}/silent`, { headers, signal: waiting.signal });
  await eventually(() => local.busy === 1);
  // The gateway takes a head of 64 KiB; what it adds to it makes it more than may be sent.
  const long = await fetch(`${url}/x`, { headers: { ...headers, accept: '\\'.repeat(65_320) } });
  assert.equal(long.status, 431);
  assert.equal((await fetch(`${url}/x`, { headers })).status, 200);
  waiting.abort();
  await assert.rejects(silent, { name: 'AbortError' });
  assert.ok(!agent.output().includes('not connected'));
});

test('an upload that its caller breaks off never looks whole to the local server', async t => {
  const { url, headers, local, gateway } = await house(t);
  let ended = false;
  const cut = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  local.intercept = req => {
    req.once('data', () => begun.resolve());
    req.on('end', () => (ended = true)).on('error', () => cut.resolve());
    return true;
  };
  const req = request(`${url}/up`, { method: 'POST', headers });
  req.on('error', () => {});
  req.write('half');
  await begun.promise;
  req.destroy();
  await cut.promise;
  assert.equal(ended, false);
  local.intercept = null;
  assert.equal((await fetch(`${url}/x`, { headers })).status, 200, 'nobody else is harmed');
  assert.equal(gateway.process.exitCode, null);
});

test('an answer that the local server breaks off never looks whole to the caller', async t => {
  const { url, headers, local } = await house(t);
  local.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain' }).write('half');
    setImmediate(() => res.socket!.resetAndDestroy());
    return true;
  };
  await assert.rejects(fetch(`${url}/x`, { headers }).then(res => res.text()));
});

test('a slow reader keeps nobody else waiting', async t => {
  const { url, headers, local } = await house(t);
  let sent = 0;
  local.intercept = (req, res) => {
    if (req.url !== '/flood') return false;
    res.writeHead(200);
    const more = () => {
      while (!res.destroyed && sent < 64 * 1024 * 1024) {
        sent += 65_536;
        if (!res.write(Buffer.alloc(65_536))) return void res.once('drain', more);
      }
      res.end();
    };
    more();
    return true;
  };
  const slow = get(`${url}/flood`, { headers });
  const [res] = (await once(slow, 'response')) as [IncomingMessage];
  res.pause();
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 16 }, () => fetch(`${url}/x`, { headers })));
    for (const answer of answers) assert.equal((await answer.text()).length > 0, true);
  }
  // What its reader does not take stays where it is: windows and socket buffers, not 64 MiB.
  assert.ok(sent < 24 * 1024 * 1024, `${sent} bytes were taken`);
  slow.destroy();
  await eventually(() => local.aborted === 1);
});

test('when the agent dies, calls end with words that say so; when it is back, all goes on', async t => {
  const { url, headers, local, agent, args, key } = await house(t);
  local.intercept = req => req.url === '/silent';
  const waiting = fetch(`${url}/silent`, { headers });
  await eventually(() => local.busy === 1);
  await agent.kill();
  const lost = await waiting;
  const said = (await lost.json()) as { code: string; detail: string };
  assert.deepEqual([lost.status, said.code], [502, 'upstream_failed']);
  assert.match(said.detail, /tunnel alice\/wiki was lost/);
  const away = await fetch(`${url}/x`, { headers });
  assert.equal(away.status, 502);
  assert.match(((await away.json()) as { detail: string }).detail, /alice\/wiki is not connected/);

  const next = startAgent(t, args, { SALLYPORT_KEY: key });
  await next.says(SERVED);
  assert.equal((await fetch(`${url}/x`, { headers })).status, 200);
});

test('when the gateway dies, the agent comes back by itself', async t => {
  const { gateway, agent, url, headers } = await house(t);
  await gateway.kill();
  await agent.says(/not connected to http/);
  await gateway.restart();
  await agent.says(/connected {2}wiki[\s\S]*connected {2}wiki/);
  assert.equal((await fetch(`${url}/x`, { headers })).status, 200);
});

test('SIGTERM lets the agent end what is under way, and take nothing new', async t => {
  const { url, headers, local, agent } = await house(t);
  let finish = () => {};
  local.intercept = (_req, res) => {
    finish = () => void res.writeHead(200).end('done');
    return true;
  };
  const waiting = fetch(`${url}/slow`, { headers });
  await eventually(() => local.busy === 1);
  const stopped = agent.stop();
  await agent.says(/SIGTERM/);
  while ((await fetch(`${url}/x`, { headers })).status !== 502);
  finish();
  assert.equal(await (await waiting).text(), 'done');
  assert.equal(await stopped, 0);
});

test('the newest connection of a name has it, and the one before is told to stay away', async t => {
  const { url, headers, agent, args, key, local } = await house(t);
  const next = startAgent(t, args, { SALLYPORT_KEY: key });
  await next.says(SERVED);
  const [code] = (await once(agent.process, 'exit')) as [number];
  assert.equal(code, 3);
  assert.match(agent.output(), /ended the tunnel: a newer connection/);
  assert.equal((await fetch(`${url}/x`, { headers })).status, 200);
  assert.equal(local.requests.length, 1);
});

test('a revoked key ends its tunnels within five seconds, and opens no other', async t => {
  const { gateway, agent, url, headers, local } = await house(t);
  const root = await keyOf(gateway, 'alice@corp.example');
  local.intercept = req => req.url === '/silent';
  const waiting = fetch(`${url}/silent`, { headers: { authorization: `Bearer ${root}` } });
  await eventually(() => local.busy === 1);
  const keys = (await (await fetch(`${gateway.url}/api/v1/me`, { headers })).json()) as {
    credential_id: string;
  };
  // By another process, which can tell this one nothing.
  assert.equal((await gateway.command('keys', 'revoke', keys.credential_id)).code, 0);
  const begun = performance.now();
  assert.equal((await waiting).status, 502);
  assert.ok(performance.now() - begun < 5_500, 'in time');
  await agent.says(/credential it was opened with is no longer valid/);
  await agent.says(/it answered 401/);
  assert.ok(!agent.output().includes('sp_'));
});

test('what may not be a tunnel is refused before its upgrade', async t => {
  const gateway = await startGateway(t, {
    config: {
      tunnelsPerUser: 1,
      upstreams: [{ id: 'payroll', kind: 'http', url: 'http://127.0.0.1:9', access: { everyone: true } }],
    },
  });
  const local = await startUpstream();
  t.after(() => local.close());
  const start = (key: string, name = 'wiki'): Agent =>
    startAgent(t, ['--gateway', gateway.url, '--name', name, '--web', local.url], { SALLYPORT_KEY: key });

  await start(`sp_${'A'.repeat(43)}`).says(/it answered 401/);
  const limited = await keyOf(gateway, 'alice@corp.example', '--upstream', 'payroll');
  await start(limited).says(/it answered 403 \(This key is limited to upstreams/);
  const forWiki = await keyOf(gateway, 'alice@corp.example', '--upstream', 'tunnel:wiki');
  await start(forWiki, 'files').says(/scope does not let it bring alice\/files/);
  await start(forWiki).says(SERVED);
  const all = await keyOf(gateway, 'alice@corp.example', '--upstream', 'tunnel:*');
  await start(all, 'more').says(/it answered 429 \(You have 1 tunnels open already/);
  // A key for tunnels opens nothing else.
  const res = await fetch(`${gateway.url}/u/alice/wiki/x`, {
    headers: { authorization: `Bearer ${forWiki}` },
  });
  assert.equal(res.status, 403);

  assert.equal(await upgradeStatus(gateway, '/tunnel', {}), 400);
  const offer = { 'sec-websocket-protocol': 'sallyport.h2.v1' };
  assert.equal(await upgradeStatus(gateway, '/tunnel', offer), 401);
  assert.equal(await upgradeStatus(gateway, '/elsewhere', offer), 426);
});

async function upgradeStatus(gateway: Gateway, path: string, headers: Record<string, string>) {
  const req = request(`${gateway.url}${path}`, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  }).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.resume();
  return res.statusCode;
}

test('the agent lets nothing through but the paths it was told', async t => {
  const { url, headers, local } = await house(t, { args: ['--path', '/pages'] });
  assert.equal((await fetch(`${url}/pages/1`, { headers })).status, 200);
  for (const path of ['/admin', '/pagesx', '/']) {
    const res = await fetch(`${url}${path}`, { headers });
    assert.deepEqual([res.status, ((await res.json()) as { code: string }).code], [403, 'forbidden'], path);
  }
  assert.equal(local.requests.length, 1);
});
