import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:http2';
import { test } from 'node:test';
import { type Answer, ask, headOf, peer } from '../../../server/test/fixtures/http2-peer.ts';
import type { ClientStream } from './client-stream.ts';
import { CODE, type Http2Error } from './codes.ts';

const turn = () => new Promise(resolve => setImmediate(resolve));
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const MB = 2 ** 20;

test('requests and answers of all kinds pass between ours and node:http2', async t => {
  const { client } = peer(t, {}, (stream, headers) => {
    if (headers[':path'] === '/none') return stream.respond({ ':status': 204 }, { endStream: true });
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'x-said': headers['x-said'] ?? '', 'set-cookie': ['a=b', 'c=d'] });
      stream.end(Buffer.concat(pieces));
    });
  });
  for (let n = 0; n < 4; n++) {
    const { status, fields, body } = await ask(client, {
      path: '/x',
      body: 'hello',
      more: ['x-said', `it ${n}`],
    });
    assert.deepEqual([status, body.toString(), fields['x-said']], [200, 'hello', `it ${n}`]);
    assert.deepEqual(fields['set-cookie'], ['a=b', 'c=d']);
  }
  const none = await ask(client, { path: '/none' });
  assert.deepEqual([none.status, none.body.length], [204, 0]);
});

test('16 MiB go both ways, and 64 streams at once, with padding around what is sent', async t => {
  const paddingStrategy = constants.PADDING_STRATEGY_MAX;
  const { client, heard } = peer(
    t,
    {},
    stream => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    },
    { paddingStrategy },
  );
  const body = randomBytes(16 * MB);
  const whole = await ask(client, { path: '/', body });
  assert.equal(hash(whole.body), hash(body));
  const piece = (n: number) => body.subarray(n, n + 300_000 + n);
  const all: Answer[] = await Promise.all(
    Array.from({ length: 64 }, (_, n) => ask(client, { path: '/', body: piece(n) })),
  );
  for (const [n, { body: came }] of all.entries()) assert.ok(came.equals(piece(n)));
  await turn();
  assert.deepEqual([heard.left, heard.broken], [65, null]);
});

test('hints are passed over, trailers come with the end, a HEAD has a length and no body', async t => {
  const { client } = peer(t, {}, (stream, headers) => {
    if (headers[':method'] === 'HEAD')
      return stream.respond({ ':status': 200, 'content-length': '5' }, { endStream: true });
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
    stream.end('it');
  });
  const { status, body, trailers } = await ask(client, { path: '/' });
  assert.deepEqual([status, body.toString(), trailers['x-sum']], [200, 'it', '7']);
  const head = await ask(client, { method: 'HEAD', path: '/' });
  assert.deepEqual([head.fields['content-length'], head.body.length], ['5', 0]);
});

test('heads that take several frames pass both ways', async t => {
  const { client } = peer(t, {}, (stream, headers) => {
    stream.respond({ ':status': 200, 'x-long': headers['x-long'] });
    stream.end();
  });
  const long = randomBytes(22_000).toString('hex');
  const { fields } = await ask(client, { path: '/', more: ['x-long', long] });
  assert.equal(fields['x-long'], long);
});

test('what the peer resets is broken off, what is reset here the peer hears of, and nobody else is harmed', async t => {
  const cancelled = Promise.withResolvers<number>();
  const { client, heard } = peer(t, {}, (stream, headers) => {
    const path = headers[':path'];
    stream.respond({ ':status': 200 });
    stream.write('half');
    if (path === '/broken') setImmediate(() => stream.destroy(new Error('broken off')));
    else if (path === '/cancel') stream.on('close', () => cancelled.resolve(stream.rstCode));
    else stream.end(' and half');
  });
  await assert.rejects(
    ask(client, { path: '/broken' }),
    (error: Http2Error) => error.code === CODE.INTERNAL_ERROR,
  );
  let mine: ClientStream;
  void ask(client, {
    path: '/cancel',
    began: stream => {
      mine = stream;
    },
    came: () => mine.reset(CODE.CANCEL),
  });
  assert.equal(await cancelled.promise, CODE.CANCEL);
  assert.equal((await ask(client, { path: '/' })).body.toString(), 'half and half');
  assert.equal(heard.broken, null);
});

test('a reader who pauses holds up its own stream at its window, and no other; then it gets all of it', async t => {
  let sent = 0;
  const body = randomBytes(4 * MB);
  const { client } = peer(t, {}, (stream, headers) => {
    stream.respond({ ':status': 200 });
    if (headers[':path'] !== '/flood') return stream.end('quick');
    const more = (at: number): void => {
      sent = at;
      if (at === body.length) stream.end();
      else stream.write(body.subarray(at, at + 65_536), () => more(at + 65_536));
    };
    more(0);
  });
  let mine: ClientStream | null = null;
  const flood = ask(client, {
    path: '/flood',
    began: stream => {
      mine = stream;
      stream.pause();
    },
  });
  for (let n = 0; n < 50; n++) assert.equal((await ask(client, { path: '/' })).body.toString(), 'quick');
  assert.ok(sent > 0 && sent <= MB, `${sent} bytes were taken`);
  mine!.resume();
  assert.equal(hash((await flood).body), hash(body));
});

test('a peer that takes few streams gets few, and one whose windows change, below zero too, gets what it takes', async t => {
  let most = 0;
  let now = 0;
  const { client, session } = peer(t, { maxConcurrentStreams: 3, initialWindowSize: 100 }, stream => {
    most = Math.max(most, ++now);
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => {
      now -= 1;
      stream.respond({ ':status': 200 });
      stream.end(Buffer.concat(pieces));
    });
  });
  const body = randomBytes(20_000);
  const first = ask(client, { path: '/', body });
  session.settings({ initialWindowSize: 10 });
  await turn();
  session.settings({ initialWindowSize: 1_000 });
  assert.ok((await first).body.equals(body));
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(client, { path: '/', body })));
  assert.ok(all.every(answer => answer.body.equals(body)));
  assert.equal(most, 3);
});

test('a peer that leaves ends what it has taken; what it did not take says so, and nothing new is asked', async t => {
  const took = Promise.withResolvers<() => void>();
  const { client, session, heard, over } = peer(t, { maxConcurrentStreams: 1 }, stream => {
    took.resolve(() => {
      stream.respond({ ':status': 200 });
      stream.end('after all');
    });
  });
  const taken = ask(client, { path: '/' });
  const goOn = await took.promise;
  const waiting = ask(client, { path: '/' });
  session.close();
  await assert.rejects(waiting, (error: Http2Error) => error.code === CODE.REFUSED_STREAM);
  assert.equal(heard.leaving, 1);
  assert.throws(() => ask(client, { path: '/' }));
  assert.equal(heard.broken, null);
  goOn();
  assert.equal((await taken).body.toString(), 'after all');
  assert.match(await over, /hung up/);
});

test('windows of all streams are narrowed when the peer has confirmed, and widened at once', async t => {
  const { client, session } = peer(t, {}, stream => {
    stream.respond({ ':status': 200 });
    stream.end(randomBytes(MB));
  });
  const calls = Array.from({ length: 8 }, () => ask(client, { path: '/' }));
  client.setStreamWindow(32_768);
  for (const { body } of await Promise.all(calls)) assert.equal(body.length, MB);
  assert.equal(session.remoteSettings.initialWindowSize, 32_768);
  client.setStreamWindow(524_288);
  assert.equal((await ask(client, { path: '/' })).body.length, MB);
});

test('pings are answered, and a WebSocket is opened by extended CONNECT', async t => {
  const { client, session } = peer(t, { enableConnectProtocol: true }, (stream, headers) => {
    assert.deepEqual([headers[':method'], headers[':protocol']], ['CONNECT', 'websocket']);
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  await new Promise((resolve, reject) =>
    session.ping((error: Error | null) => (error === null ? resolve(null) : reject(error))),
  );
  assert.ok(client.opensSockets);
  const got = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<void>();
  const taker = {
    head() {},
    data: (piece: Buffer) => got.resolve(piece.toString()),
    end: () => ended.resolve(),
    broken: got.reject,
    drained() {},
  };
  const head = headOf('CONNECT', '/');
  head.splice(2, 0, ':protocol', 'websocket');
  const stream = client.request(head, taker, false);
  stream.write(Buffer.from('frame'));
  assert.equal(await got.promise, 'frame');
  stream.end();
  await ended.promise;
});

test('streams that last are passed by when numbers go round', async t => {
  const held: (() => void)[] = [];
  const { client } = peer(t, {}, (stream, headers) => {
    const answer = () => {
      stream.respond({ ':status': 200 });
      stream.end();
    };
    if (headers[':path'] === '/long') held.push(answer);
    else answer();
  });
  const long = Array.from({ length: 5 }, () => ask(client, { path: '/long' }));
  for (let n = 0; n < 200; n++) assert.equal((await ask(client, { path: '/' })).status, 200);
  for (const answer of held) answer();
  for (const { status } of await Promise.all(long)) assert.equal(status, 200);
});
