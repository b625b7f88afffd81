import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { stringify } from 'yaml';
import { createLocalHttp } from '../../agent/src/local-http.ts';
import type { AppError } from '../src/platform/errors.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import type { Flow } from '../src/terms/transport.ts';
import type { Connection } from '../src/tunnels/connection.ts';
import { createTally } from '../src/tunnels/tally.ts';
import { TunnelCall } from '../src/tunnels/tunnel-call.ts';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { eventually } from './fixtures/data-plane.ts';
import { type Gateway, startGateway } from './fixtures/gateway.ts';
import { joinedEnds, program, tunnelTo } from './fixtures/tunnel.ts';
import { startUpstream } from './fixtures/upstream.ts';

const MB = 1024 * 1024;

/** A local server whose `/flood` never ends, and counts what was taken of it. */
async function startFlood(t: TestContext) {
  const local = await startUpstream();
  t.after(() => local.close());
  const piece = Buffer.alloc(64 * 1024);
  local.intercept = (req, res) => {
    if (!req.url!.startsWith('/flood')) return false;
    const more = () => {
      while (res.write(piece));
    };
    res.writeHead(200).on('drain', more);
    more();
    return true;
  };
  return local;
}

/** A call whose answer, once it begins, is read no further. */
function unreadCall(connection: Connection, body: Readable | null = null): void {
  let flow: Flow | null = null;
  const method = body === null ? 'GET' : 'POST';
  const receiver = {
    begin(given: Flow) {
      flow = given;
      return true;
    },
    head() {},
    data: () => flow!.pause(),
    end() {},
    error() {},
  };
  const request = { method, path: '/', headers: [], body, headersTimeout: 60_000 };
  new TunnelCall('alice/wiki', request, receiver, createTally(systemRuntime)).start(connection, 'wiki');
}

/** Waits until a number has stopped to grow. */
async function still(read: () => number): Promise<number> {
  for (let before = -1, same = 0; same < 10; ) {
    same = before === read() ? same + 1 : 0;
    before = read();
    await new Promise(resolve => setTimeout(resolve, 30));
  }
  return read();
}

/** Calls under way, more than 16 MiB would do for with a whole window each. */
const MANY = 250;
/** They come all at once here, sooner than the other end hears that they are to have less; without that it would be 125 MiB. */
const MOST = 64 * MB;

test(`${MANY} readers who take nothing share what their tunnel may have in flight, and hold up nobody else`, async t => {
  const { connection, came } = await joinedEnds(t, 'wiki', {
    handle(call, path) {
      call.respond(200, []);
      let left = 8;
      const drained = () => {
        while (left > 0 && (left -= 1) >= 0) if (!call.write(Buffer.alloc(128 * 1024))) return;
      };
      call.accept({ data() {}, end() {}, broken() {}, drained });
      call.resume();
      if (path === '/') drained();
      else call.end(Buffer.from('hello'));
    },
    async [Symbol.asyncDispose]() {},
  });
  for (let n = 0; n < 20; n++) unreadCall(connection);
  await eventually(() => came.down > 10 * MB);
  const few = await still(() => came.down);
  assert.ok(few < 10.5 * MB, `${few / MB} MiB: each has half a MiB of its own`);
  for (let n = 20; n < MANY; n++) unreadCall(connection);
  await eventually(() => came.down > 20 * MB);
  const all = await still(() => came.down);
  t.diagnostic(`${(all / MB).toFixed(1)} MiB in flight`);
  assert.ok(all < MOST, `${all / MB} MiB`);
  const said = await new Promise((resolve, reject) => {
    const request = { method: 'GET', path: '/x', headers: [], body: null, headersTimeout: 60_000 };
    const receiver = {
      begin: () => true,
      head() {},
      data: (chunk: Buffer) => resolve(chunk.toString()),
      end() {},
      error: reject,
    };
    new TunnelCall('alice/wiki', request, receiver, createTally(systemRuntime)).start(connection, 'wiki');
  });
  assert.equal(said, 'hello');
});

test(`the same toward the agent: ${MANY} uploads that nobody reads`, async t => {
  const { connection, came } = await joinedEnds(t, 'wiki', {
    handle() {},
    async [Symbol.asyncDispose]() {},
  });
  const upload = () => unreadCall(connection, Readable.from([Buffer.alloc(MB)]));
  for (let n = 0; n < 20; n++) upload();
  await eventually(() => came.up > 10 * MB);
  for (let n = 20; n < MANY; n++) upload();
  const all = await still(() => came.up);
  t.diagnostic(`${(all / MB).toFixed(1)} MiB in flight`);
  assert.ok(all < MOST, `${all / MB} MiB`);
});

test('256 calls are under way in one tunnel; the next are refused at once, and may come again', async t => {
  const local = await startUpstream();
  t.after(() => local.close());
  local.intercept = req => req.url === '/silent';
  const gateway = await startGateway(t);
  const key = await keyOf(gateway, 'alice@corp.example');
  const args = ['--gateway', gateway.url, '--name', 'wiki', '--web', local.url];
  const agent = startAgent(t, args, { SALLYPORT_KEY: key });
  await agent.says(/connected {2}wiki/);
  const headers = { authorization: `Bearer ${key}` };
  const leaving = new AbortController();
  const call = (path: string, signal?: AbortSignal) =>
    fetch(`${gateway.url}/u/alice/wiki${path}`, { headers, ...(signal && { signal }) });
  const waiting = Array.from({ length: 256 }, () => call('/silent', leaving.signal).catch(() => null));
  await eventually(() => local.busy === 256);
  const refused = await call('/x');
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  leaving.abort();
  await Promise.all(waiting);
  await eventually(() => local.busy === 0);
  assert.equal((await call('/x')).status, 200);
});

test('a reader who takes nothing for five minutes is cut off, and nobody else', async t => {
  const local = await startFlood(t);
  const served = createLocalHttp({
    kind: 'http',
    name: 'wiki',
    title: null,
    description: null,
    url: new URL(local.url),
    allow: { tools: [], deniedTools: [], paths: [] },
  });
  const { connection } = await joinedEnds(t, 'wiki', served);
  const call = (reads: boolean) => {
    const ended = Promise.withResolvers<AppError>();
    const seen = { bytes: 0, over: false, flow: null as Flow | null, ended: ended.promise };
    const request = { method: 'GET', path: '/flood', headers: [], body: null, headersTimeout: 10_000 };
    new TunnelCall(
      'alice/wiki',
      request,
      {
        begin(flow) {
          seen.flow = flow;
          return true;
        },
        head() {},
        data(chunk) {
          seen.bytes += chunk.length;
          if (!reads) seen.flow!.pause();
        },
        end() {},
        error(error) {
          seen.over = true;
          ended.resolve(error as AppError);
        },
      },
      createTally(systemRuntime),
    ).start(connection, 'wiki');
    return seen;
  };
  const [slow, now, fast] = [call(false), call(false), call(true)];
  await eventually(() => slow.bytes > 0 && now.bytes > 0);
  for (let look = 0; look < 9; look++) connection.lookForStalled();
  // It takes a little, and so it stays.
  now.flow!.resume();
  const before = now.bytes;
  await eventually(() => now.bytes > before);
  connection.lookForStalled();
  assert.match((await slow.ended).message, /alice\/wiki was read for five minutes/);
  assert.equal(now.over, false);
  const soFar = fast.bytes;
  await eventually(() => fast.bytes > soFar + MB);
  assert.equal(fast.over, false);
});

test('what a program does not read waits as far as 16 MiB; then callers are told', async t => {
  const { open } = await tunnelTo(t, program([process.execPath, '-e', 'setInterval(() => {}, 1000)']));
  const { line } = open({ instance: 'a' });
  const message = JSON.stringify('x'.repeat(MB));
  let sent = 0;
  assert.throws(
    () => {
      for (; sent < 40; sent++) line.send(message);
    },
    (error: AppError) => error.code === 'unavailable' && /alice\/tool does not read/.test(error.message),
  );
  assert.ok(sent >= 15 && sent <= 20, `${sent} MiB waited`);
});

test('many connections that come at once are no more than one user may have', async t => {
  const gateway = await startGateway(t, { config: { tunnelsPerUser: 3, socketsPerAddress: 1_000 } });
  const key = await keyOf(gateway, 'alice@corp.example');
  const headers = { authorization: `Bearer ${key}` };
  const statuses = await Promise.all(Array.from({ length: 20 }, () => upgraded(t, gateway, headers)));
  assert.deepEqual([statuses.filter(status => status === 101).length, statuses.length], [3, 20]);
  assert.ok(statuses.every(status => status === 101 || status === 429));
});

test('an agent that comes again and again without a pause is told to wait, whatever way it takes, and nobody else is', async t => {
  const gateway = await startGateway(t, { config: { rateLimits: { tunnel: { principal: '4/1h' } } } });
  const bearer = async (user: string) => ({ authorization: `Bearer ${await keyOf(gateway, user)}` });
  const alice = await bearer('alice@corp.example');
  const statuses: number[] = [];
  for (let n = 0; n < 3; n++) statuses.push(await upgraded(t, gateway, alice));
  statuses.push(await upgraded(t, gateway, alice, '/reverse-proxy/ws'));
  // Another key is no other user.
  const again = await bearer('alice@corp.example');
  for (const path of ['/tunnel', '/reverse-proxy/ws']) statuses.push(await upgraded(t, gateway, again, path));
  const begin = { method: 'POST', headers: { ...again, 'sallyport-protocol': 'sallyport.h2.v1' } };
  const begun = await fetch(`${gateway.url}/tunnel`, begin);
  assert.deepEqual([...statuses, begun.status], [101, 101, 101, 101, 429, 429, 429]);
  assert.ok(Number(begun.headers.get('retry-after')) > 60);
  assert.equal(await upgraded(t, gateway, await bearer('bob@corp.example')), 101);
});

async function upgraded(
  t: TestContext,
  gateway: Gateway,
  headers: Record<string, string>,
  path = '/tunnel',
): Promise<number> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}${path}`, 'sallyport.h2.v1', { headers });
  t.after(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode!));
    socket.on('error', reject);
  });
}

test('tunnels that were begun without a WebSocket have a place, too, until their stream is late', async t => {
  const gateway = await startGateway(t, { config: { tunnelsPerUser: 2 } });
  const key = await keyOf(gateway, 'alice@corp.example');
  const headers = { authorization: `Bearer ${key}`, 'sallyport-protocol': 'sallyport.h2.v1' };
  const begun: number[] = [];
  for (let n = 0; n < 4; n++)
    begun.push((await fetch(`${gateway.url}/tunnel`, { method: 'POST', headers })).status);
  assert.deepEqual(begun, [201, 201, 429, 429]);
});

test('of one user as many tunnels are remembered as could be connected at once', async t => {
  const gateway = await startGateway(t, { config: { tunnelsPerUser: 1 } });
  const key = await keyOf(gateway, 'alice@corp.example');
  const file = join(gateway.directory, 'agent.yaml');
  const servers = Array.from({ length: 64 }, (_, n) => ({ name: `n${n}`, web: 'http://127.0.0.1:9' }));
  writeFileSync(file, stringify({ gateways: [{ url: gateway.url, servers }] }));
  const all = startAgent(t, ['--config', file], { SALLYPORT_KEY: key });
  await all.says(/connected {2}n63/);
  await all.stop();
  const args = ['--gateway', gateway.url, '--web', 'http://127.0.0.1:9', '--name'];
  await startAgent(t, [...args, 'more'], { SALLYPORT_KEY: key }).says(/You have 64 tunnels already/);
  await startAgent(t, [...args, 'n5'], { SALLYPORT_KEY: key }).says(/connected {2}n5/);
});
