import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Flow, OutboundRequest } from '../../terms/transport.ts';
import { Pool, type PoolOptions } from './pool.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** A pool to a server that is as raw as can be. @param answer to all that came on a connection so far */
async function ground(
  t: TestContext,
  answer: (socket: Socket, text: string) => void,
  options: Partial<PoolOptions> = {},
) {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    let text = '';
    sockets.push(socket);
    socket
      .on('error', () => {})
      .on('data', bytes => {
        requests += 1;
        answer(socket, (text += bytes.toString('latin1')));
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const limits = { connections: 10, connectTimeout: 1_000, lookup: undefined, ...options };
  const pool = new Pool(new URL(`http://127.0.0.1:${port}`), limits, 0);
  t.after(async () => {
    await pool.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  let flow: Flow | null = null;
  let pieces = 0;
  let requests = 0;
  const ask = (more: Partial<OutboundRequest> = {}, wanted = true) =>
    new Promise<string>((resolve, reject) => {
      let text = '';
      const request = { method: 'GET', path: '/', headers: [], body: null, headersTimeout: 5_000, ...more };
      pool.dispatch(request, {
        begin(of) {
          flow = of;
          return wanted;
        },
        head: status => void (text += status),
        data: chunk => {
          pieces += 1;
          text += ` ${chunk.toString()}`;
        },
        end: () => resolve(text),
        error: reject,
      });
    });
  return { pool, ask, sockets, server, flow: () => flow!, heard: () => requests, came: () => pieces };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** Answers each request once its head is there. */
const polite = (socket: Socket, text: string) => void (text.endsWith('\r\n\r\n') && socket.write(OK));

test('one connection serves one request after the other, and no more are opened than allowed', async t => {
  const { ask, sockets } = await ground(t, polite, { connections: 2 });
  assert.deepEqual(await Promise.all([ask(), ask(), ask(), ask(), ask()]), Array(5).fill('200 ok'));
  assert.equal(sockets.length, 2);
});

test('an answer that nobody asked for is nobody’s: it ends the connection', async t => {
  const { ask, sockets } = await ground(t, (socket, text) => {
    // The second one is for whoever asks next on this connection.
    if (text.endsWith('\r\n\r\n')) socket.write(`${OK}${OK.replace('ok', 'no')}`);
  });
  assert.equal(await ask(), '200 ok');
  assert.equal(await ask(), '200 ok');
  assert.equal(sockets.length, 2);
});

test('one that comes while the connection rests, likewise', async t => {
  const { ask, sockets } = await ground(t, polite);
  assert.equal(await ask(), '200 ok');
  await turn();
  sockets[0]!.write(OK.replace('ok', 'no'));
  await once(sockets[0]!, 'close');
  assert.equal(await ask(), '200 ok');
  assert.equal(sockets.length, 2);
});

test('a connection is not used beyond what its server, or ours, has patience for', async t => {
  const { ask, pool, sockets } = await ground(t, (socket, text) => {
    const hint = sockets.length === 1 ? 'timeout=3' : 'timeout=60';
    if (text.endsWith('\r\n\r\n')) socket.write(OK.replace('\r\n', `\r\nkeep-alive: ${hint}\r\n`));
  });
  await ask();
  await turn();
  pool.tick(1_999);
  await ask();
  assert.equal(sockets.length, 1);
  await turn();
  pool.tick(4_000);
  await ask();
  assert.equal(sockets.length, 2);
  await turn();
  pool.tick(7_999);
  await ask();
  assert.equal(sockets.length, 2);
  await turn();
  pool.tick(12_000);
  await ask();
  assert.equal(sockets.length, 3);
});

test('who does not answer in time is given up; a stream may be silent for long, and a reader may be slow', async t => {
  const { ask, pool, flow, heard, came } = await ground(t, (socket, text) => {
    if (text.includes('/stream') && text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\n\r\nfirst');
  });
  const silent = ask({ headersTimeout: 1_000 });
  await until(() => heard() === 1);
  pool.tick(999);
  pool.tick(1_001);
  await assert.rejects(silent, { code: 'ETIMEDOUT' });
  const stream = ask({ path: '/stream', headersTimeout: 1_000 });
  stream.catch(() => {});
  await until(() => came() === 1);
  pool.tick(600_000);
  flow().pause();
  pool.tick(3_000_000);
  flow().resume();
  pool.tick(3_800_000);
  pool.tick(3_900_001);
  await assert.rejects(stream, { code: 'ETIMEDOUT' });
});

test('nothing that is given to send becomes a line of its own', async t => {
  let sent = '';
  const { ask } = await ground(t, (socket, text) => {
    sent = text;
    polite(socket, text);
  });
  for (const more of [
    { headers: ['x-a', 'b\r\nx-evil: 1'] },
    { headers: ['x-a', 'b\nx-evil: 1'] },
    { headers: ['x-a: 1\r\nx-evil', '1'] },
    { headers: ['x a', '1'] },
    { headers: ['x-a', 'b\0'] },
    { path: '/ HTTP/1.1\r\nx-evil: 1\r\n' },
    { path: '/a b' },
    { path: '' },
    { method: 'GET / HTTP/1.1\r\nx-evil: 1\r\n\r\nGET' },
  ])
    await assert.rejects(ask(more), { code: 'bad_request' });
  assert.equal(await ask({ headers: ['content-length', '9', 'x-a', 'ü'] }), '200 ok');
  assert.ok(!sent.includes('evil') && !sent.includes('content-length') && sent.includes('x-a: \xfc\r\n'));
});

test('a body is sent as long as it was said to be, or not at all', async t => {
  const heard: string[] = [];
  const { ask } = await ground(t, (socket, text) => {
    heard.push(text);
    if (/\r\n\r\n.*(?:end|0\r\n\r\n)$/s.test(text)) socket.write(OK);
  });
  const post = (pieces: string[], ...headers: string[]) =>
    ask({ method: 'POST', headers, body: Readable.from(pieces.map(piece => Buffer.from(piece))) });
  assert.equal(await post(['the ', 'end'], 'content-length', '7'), '200 ok');
  assert.match(heard.at(-1)!, /content-length: 7\r\n\r\nthe end$/);
  assert.equal(await post(['the ', 'rest']), '200 ok');
  assert.match(heard.at(-1)!, /chunked\r\n\r\n4\r\nthe \r\n4\r\nrest\r\n0\r\n\r\n$/);
  await assert.rejects(post(['too much'], 'content-length', '3'), /longer/);
  await assert.rejects(post(['few'], 'content-length', '9'), /shorter/);
  assert.equal(await ask({ method: 'POST', body: Buffer.from('the end') }), '200 ok');
});

test('who gives a call up ends its connection, and later words of theirs touch no other call', async t => {
  const { ask, sockets, flow } = await ground(t, (socket, text) => {
    if (text.includes('/held')) return;
    polite(socket, text);
  });
  const held = ask({ path: '/held' });
  await until(() => sockets.length === 1);
  await turn();
  const old = flow();
  old.abort(new Error('left'));
  await assert.rejects(held, /left/);
  const next = ask();
  old.abort(new Error('again'));
  old.pause();
  assert.equal(await next, '200 ok');
  await assert.rejects(ask({}, false), { name: 'NotWanted' });
});

test('a pool that is closed serves what waits, and then is gone', async t => {
  const { ask, pool, sockets } = await ground(t, polite, { connections: 1 });
  const answers = [ask(), ask()];
  await pool.close();
  assert.deepEqual(await Promise.all(answers), ['200 ok', '200 ok']);
  await until(() => sockets.every(socket => socket.readableEnded));
});

test('a server that is not there, or hangs up at once, is an error and not a wait', async t => {
  const { ask, server, sockets } = await ground(t, socket => socket.destroy());
  await assert.rejects(ask(), { code: 'ECONNRESET' });
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
  await assert.rejects(ask(), { code: 'ECONNREFUSED' });
});
