import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { frameOf, hpack } from '../../../server/test/fixtures/hostile-agent.ts';
import { ask, clientTo, peer, WINDOWS } from '../../../server/test/fixtures/http2-peer.ts';
import { fc } from '../../../server/test/fixtures/made-up.ts';
import { held } from '../../../server/test/fixtures/memory.ts';
import type { ClientStream } from './client-stream.ts';
import { CODE, FLAG, type Http2Error, TYPE } from './codes.ts';

const MB = 2 ** 20;
const HELLO = frameOf(TYPE.SETTINGS, 0, 0, []);
const OK = hpack([[':status', '200']]);
const head = (stream: number, pairs: [string, string][], flags = 0) =>
  frameOf(TYPE.HEADERS, FLAG.END_HEADERS | flags, stream, hpack(pairs));
const answered = (stream: number) => frameOf(TYPE.HEADERS, FLAG.END_HEADERS, stream, OK);
const number = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const setting = (name: number, value: number) => frameOf(TYPE.SETTINGS, 0, 0, [0, name, ...number(value)]);
const turn = () => new Promise(resolve => setImmediate(resolve));

/** A client with two calls under way (1 and 3), and a peer that says what a test wants it to. */
async function stand({ stalled = false } = {}) {
  const sent: Buffer[] = [];
  const ours = clientTo((bytes, done) => {
    sent.push(Buffer.from(bytes));
    if (!stalled) setImmediate(done);
  });
  const streams: ClientStream[] = [];
  const calls = [1, 3].map(() => {
    const call = ask(ours.client, { path: '/', began: stream => void streams.push(stream) });
    return call.then(
      answer => answer,
      (error: Http2Error) => error,
    );
  });
  await turn();
  await turn();
  ours.client.received(HELLO);
  return {
    ...ours,
    calls,
    streams,
    sent,
    /** How it said goodbye; null where it did not. */
    goodbye() {
      const all = Buffer.concat(sent.slice(1));
      for (let at = 0; at < all.length; at += 9 + all.readUIntBE(at, 3))
        if (all[at + 3] === TYPE.GOAWAY) return all.readUInt32BE(at + 13);
      return null;
    },
  };
}

test('what no server may send ends the connection, with the error that it is', async () => {
  const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM } = CODE;
  const many = (count: number, frame: Buffer) => Buffer.concat(Array.from({ length: count }, () => frame));
  const attacks: [string, number, Buffer][] = [
    ['data to what was never asked', PROTOCOL_ERROR, frameOf(TYPE.DATA, 0, 99, [1])],
    ['data to no stream', PROTOCOL_ERROR, frameOf(TYPE.DATA, 0, 0, [1])],
    ['an answer to what was never asked', PROTOCOL_ERROR, answered(99)],
    ['a stream of its own', PROTOCOL_ERROR, answered(2)],
    ['a reset of what was never asked', PROTOCOL_ERROR, frameOf(TYPE.RST_STREAM, 0, 5, number(8))],
    ['a window of what was never asked', PROTOCOL_ERROR, frameOf(TYPE.WINDOW_UPDATE, 0, 5, number(8))],
    ['a push', PROTOCOL_ERROR, frameOf(TYPE.PUSH_PROMISE, 4, 1, [0, 0, 0, 2, ...OK])],
    ['a continuation of nothing', PROTOCOL_ERROR, frameOf(TYPE.CONTINUATION, 4, 1, OK)],
    [
      'a ping within a head',
      PROTOCOL_ERROR,
      Buffer.concat([frameOf(TYPE.HEADERS, 0, 1, OK), frameOf(TYPE.PING, 0, 0, Buffer.alloc(8))]),
    ],
    [
      'data within a head',
      PROTOCOL_ERROR,
      Buffer.concat([frameOf(TYPE.HEADERS, 0, 1, OK), frameOf(TYPE.DATA, 0, 1, [1])]),
    ],
    [
      "another's continuation",
      PROTOCOL_ERROR,
      Buffer.concat([frameOf(TYPE.HEADERS, 0, 1, OK), frameOf(TYPE.CONTINUATION, 4, 3, [])]),
    ],
    [
      'more padding than room, in data',
      PROTOCOL_ERROR,
      Buffer.concat([answered(1), frameOf(TYPE.DATA, FLAG.PADDED, 1, [3, 0, 0])]),
    ],
    [
      'padding without a length',
      PROTOCOL_ERROR,
      Buffer.concat([answered(1), frameOf(TYPE.DATA, FLAG.PADDED, 1, [])]),
    ],
    [
      'more padding than room, in a head',
      PROTOCOL_ERROR,
      frameOf(TYPE.HEADERS, FLAG.PADDED | 4, 1, [9, 0x88]),
    ],
    [
      'a head of nothing but its flags',
      PROTOCOL_ERROR,
      frameOf(TYPE.HEADERS, FLAG.PADDED | FLAG.PRIORITY | 4, 1, []),
    ],
    ['settings of a stream', PROTOCOL_ERROR, frameOf(TYPE.SETTINGS, 0, 1, [])],
    ['a ping of a stream', PROTOCOL_ERROR, frameOf(TYPE.PING, 0, 1, Buffer.alloc(8))],
    ['a goodbye of a stream', PROTOCOL_ERROR, frameOf(TYPE.GOAWAY, 0, 1, Buffer.alloc(8))],
    ['a frame size that cannot be', PROTOCOL_ERROR, setting(5, 100)],
    ['a wish to be pushed to', PROTOCOL_ERROR, setting(2, 1)],
    ['a switch that is none', PROTOCOL_ERROR, setting(8, 2)],
    ['what is taken back', PROTOCOL_ERROR, Buffer.concat([setting(8, 1), setting(8, 0)])],
    ['confirmations of nothing', PROTOCOL_ERROR, many(2, frameOf(TYPE.SETTINGS, FLAG.ACK, 0, []))],
    ['a window that does not grow', PROTOCOL_ERROR, frameOf(TYPE.WINDOW_UPDATE, 0, 0, number(0))],
    ['a window that overflows', FLOW_CONTROL_ERROR, frameOf(TYPE.WINDOW_UPDATE, 0, 0, number(0x7fff_ffff))],
    ['windows that cannot be', FLOW_CONTROL_ERROR, setting(4, 0xffff_ffff)],
    [
      'windows of streams that overflow',
      FLOW_CONTROL_ERROR,
      Buffer.concat([frameOf(TYPE.WINDOW_UPDATE, 0, 1, number(0x7fff_0000)), setting(4, 0x7fff_ffff)]),
    ],
    ['a frame that is too long', FRAME_SIZE_ERROR, frameOf(TYPE.DATA, 0, 1, Buffer.alloc(16_385))],
    ['half a setting', FRAME_SIZE_ERROR, frameOf(TYPE.SETTINGS, 0, 0, [0, 4])],
    [
      'a confirmation that says something',
      FRAME_SIZE_ERROR,
      frameOf(TYPE.SETTINGS, FLAG.ACK, 0, [0, 3, 0, 0, 0, 1]),
    ],
    ['half a ping', FRAME_SIZE_ERROR, frameOf(TYPE.PING, 0, 0, [1])],
    ['half a reset', FRAME_SIZE_ERROR, frameOf(TYPE.RST_STREAM, 0, 1, [1])],
    ['half a priority', FRAME_SIZE_ERROR, frameOf(TYPE.PRIORITY, 0, 1, [1])],
    ['half a goodbye', FRAME_SIZE_ERROR, frameOf(TYPE.GOAWAY, 0, 0, [1])],
    ['a head that cannot be read', COMPRESSION_ERROR, frameOf(TYPE.HEADERS, 4, 1, [0x80])],
    [
      'the same of a stream that is over',
      COMPRESSION_ERROR,
      Buffer.concat([frameOf(TYPE.RST_STREAM, 0, 1, number(8)), frameOf(TYPE.HEADERS, 4, 1, [0x80])]),
    ],
    ['pings without end', ENHANCE_YOUR_CALM, many(3_000, frameOf(TYPE.PING, 0, 0, Buffer.alloc(8)))],
    [
      'windows that change without end',
      ENHANCE_YOUR_CALM,
      many(60, Buffer.concat([setting(4, 1), setting(4, 2)])),
    ],
    ['settings without end', ENHANCE_YOUR_CALM, many(3_000, setting(3, 100))],
    [
      'continuations without end',
      ENHANCE_YOUR_CALM,
      Buffer.concat([frameOf(TYPE.HEADERS, 0, 1, OK), many(20, frameOf(TYPE.CONTINUATION, 0, 1, []))]),
    ],
    [
      'data without data, without end',
      ENHANCE_YOUR_CALM,
      Buffer.concat([answered(1), many(20_000, frameOf(TYPE.DATA, 0, 1, []))]),
    ],
    ['goodbye with an error', CODE.NO_ERROR, frameOf(TYPE.GOAWAY, 0, 0, [...number(0), ...number(2)])],
  ];
  for (const [what, code, bytes] of attacks) {
    const { client, heard, calls, goodbye } = await stand();
    client.received(bytes);
    assert.ok(heard.broken !== null, `${what}: the connection goes on`);
    assert.equal(goodbye(), code, what);
    for (const call of calls) assert.ok((await call) instanceof Error, what);
    client.received(bytes);
    assert.equal(heard.left, 2, what);
  }
});

test('before its settings a peer says nothing else', async () => {
  const { client, heard } = clientTo((_bytes, done) => done());
  client.received(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, whoever'));
  assert.ok(heard.broken !== null);
  const other = clientTo((_bytes, done) => done());
  other.client.received(frameOf(TYPE.PING, 0, 0, Buffer.alloc(8)));
  assert.match(other.heard.broken!, /no HTTP\/2/);
});

test('what is wrong with one answer ends its call, and no other', async () => {
  const wrong: [string, Buffer][] = [
    ['data before a head', frameOf(TYPE.DATA, 0, 1, [1])],
    ['no status', head(1, [['x-a', 'b']])],
    ['a status that is none', head(1, [[':status', '2x0']])],
    [
      'a status behind a header',
      head(1, [
        ['x-a', 'b'],
        [':status', '200'],
      ]),
    ],
    [
      'two of them',
      head(1, [
        [':status', '200'],
        [':status', '200'],
      ]),
    ],
    [
      'a pseudo-header of requests',
      head(1, [
        [':status', '200'],
        [':path', '/'],
      ]),
    ],
    ['101', head(1, [[':status', '101']])],
    ['a hint that is the end', head(1, [[':status', '103']], FLAG.END_STREAM)],
    [
      'an upper-case name',
      head(1, [
        [':status', '200'],
        ['X-A', 'b'],
      ]),
    ],
    [
      'a name with a space',
      head(1, [
        [':status', '200'],
        ['x a', 'b'],
      ]),
    ],
    [
      'a line break in a value',
      head(1, [
        [':status', '200'],
        ['x-a', 'b\r\nc: d'],
      ]),
    ],
    [
      "a connection's own header",
      head(1, [
        [':status', '200'],
        ['transfer-encoding', 'chunked'],
      ]),
    ],
    [
      'a length that is none',
      head(1, [
        [':status', '200'],
        ['content-length', '-1'],
      ]),
    ],
    [
      'two lengths',
      head(1, [
        [':status', '200'],
        ['content-length', '1'],
        ['content-length', '1'],
      ]),
    ],
    [
      'a length without a body',
      head(1, [
        [':status', '204'],
        ['content-length', '1'],
      ]),
    ],
    [
      'more than the length',
      Buffer.concat([
        head(1, [
          [':status', '200'],
          ['content-length', '1'],
        ]),
        frameOf(0, 0, 1, [1, 2]),
      ]),
    ],
    [
      'less than the length',
      Buffer.concat([
        head(1, [
          [':status', '200'],
          ['content-length', '9'],
        ]),
        frameOf(0, 1, 1, [1, 2]),
      ]),
    ],
    ['a body where there is none', Buffer.concat([head(1, [[':status', '304']]), frameOf(0, 1, 1, [1])])],
    ['a second head', Buffer.concat([answered(1), answered(1)])],
    ['trailers with a status', Buffer.concat([answered(1), head(1, [[':status', '200']], FLAG.END_STREAM)])],
    ['trailers that are not the end', Buffer.concat([answered(1), head(1, [['x-a', 'b']])])],
    ['hints without end', Buffer.concat(Array.from({ length: 200 }, () => head(1, [[':status', '103']])))],
    ['a window that does not grow', frameOf(TYPE.WINDOW_UPDATE, 0, 1, number(0))],
    ['a window that overflows', frameOf(TYPE.WINDOW_UPDATE, 0, 1, number(0x7fff_ffff))],
    ['a reset', frameOf(TYPE.RST_STREAM, 0, 1, number(0))],
    ['headers of 64 KiB out of a few bytes', bomb()],
  ];
  for (const [what, bytes] of wrong) {
    const { client, heard, calls } = await stand();
    client.received(bytes);
    client.received(
      Buffer.concat([answered(3), frameOf(TYPE.DATA, FLAG.END_STREAM, 3, Buffer.from('whole'))]),
    );
    assert.ok((await calls[0]) instanceof Error, what);
    const other = await calls[1]!;
    assert.equal(other instanceof Error ? other.message : other.body.toString(), 'whole', what);
    assert.equal(heard.broken, null, what);
  }
});

/** One entry of 4,000 bytes is remembered, and said again with a byte each. */
function bomb(): Buffer {
  const entry = Buffer.concat([
    Buffer.from([0x88, 0x40, 3]),
    Buffer.from('x-a'),
    Buffer.from([0x7f, 0xa1, 0x1e]),
    Buffer.alloc(4_000, 'b'),
  ]);
  return frameOf(TYPE.HEADERS, FLAG.END_HEADERS, 1, Buffer.concat([entry, Buffer.alloc(12_000, 0xbe)]));
}

test('what comes for a call that is over means nothing', async () => {
  const { client, heard, calls } = await stand();
  client.received(frameOf(TYPE.RST_STREAM, 0, 1, number(8)));
  assert.ok((await calls[0]) instanceof Error);
  const late = [answered(1), frameOf(0, 0, 1, [1]), frameOf(3, 0, 1, number(8)), frameOf(8, 0, 1, number(8))];
  for (let round = 0; round < 100; round++) client.received(Buffer.concat(late));
  client.received(Buffer.concat([answered(3), frameOf(TYPE.DATA, FLAG.END_STREAM, 3, Buffer.from('x'))]));
  assert.ok(!((await calls[1]) instanceof Error));
  assert.deepEqual([heard.broken, heard.left], [null, 2]);
});

test('frames and settings that nobody knows are passed over', async () => {
  const { client, heard, calls } = await stand();
  client.received(
    Buffer.concat([
      frameOf(200, 255, 7, Buffer.alloc(9_000)),
      setting(999, 5),
      frameOf(TYPE.PRIORITY, 0, 1, Buffer.alloc(5)),
    ]),
  );
  for (const stream of [1, 3]) client.received(Buffer.concat([answered(stream), frameOf(0, 1, stream, [1])]));
  for (const call of calls) assert.ok(!((await call) instanceof Error));
  assert.equal(heard.broken, null);
});

test('a peer may not pass over the window of a stream, nor over that of the connection', async () => {
  const { client, heard, streams, calls, goodbye } = await stand();
  for (const stream of streams) stream.pause();
  client.received(Buffer.concat([answered(1), answered(3)]));
  const piece = frameOf(TYPE.DATA, 0, 1, Buffer.alloc(16_384));
  for (let sent = 0; sent < WINDOWS.streamWindow; sent += 16_384) client.received(piece);
  assert.equal(heard.left, 0);
  client.received(piece);
  assert.equal(((await calls[0]) as Http2Error).code, CODE.FLOW_CONTROL_ERROR);
  assert.equal(heard.broken, null);
  // All in one turn: nothing is given back meanwhile.
  for (let sent = 0; sent <= WINDOWS.connectionWindow; sent += 16_384) client.received(piece);
  assert.match(heard.broken!, /passes over its window/);
  assert.equal(goodbye(), CODE.FLOW_CONTROL_ERROR);
});

test('what waits for a reader is as much as its window, in whatever pieces it came, and in the order it came', async () => {
  const { client, streams, calls } = await stand();
  streams[0]!.pause();
  client.received(answered(1));
  const before = held().arrayBuffers;
  // One byte in 16 KiB of nothing, as often as it may come: what is kept is the byte.
  for (let n = 0; n < 20_000; n++)
    client.received(
      Buffer.concat([frameOf(TYPE.DATA, 0, 1, [n & 255]), frameOf(200, 0, 0, Buffer.alloc(8_000))]),
    );
  const grown = held().arrayBuffers - before;
  assert.ok(grown < 64 * MB, `${(grown / MB).toFixed()} MiB`);
  streams[0]!.resume();
  client.received(frameOf(TYPE.DATA, FLAG.END_STREAM, 1, []));
  const answer = await calls[0]!;
  assert.ok(
    !(answer instanceof Error) &&
      answer.body.length === 20_000 &&
      answer.body.every((byte, n) => byte === (n & 255)),
  );
});

test('a peer that reads nothing, or grants nothing, gets no more than a batch, and who writes is asked to wait', async () => {
  const { client, sent, heard } = await stand({ stalled: true });
  client.received(setting(4, 0));
  const taker = { head() {}, data() {}, end() {}, broken() {}, drained() {} };
  const streams = Array.from({ length: 200 }, () =>
    client.request([':method', 'POST', ':scheme', 'http', ':path', '/', ':authority', 'a'], taker, false),
  );
  for (const stream of streams) {
    let more = true;
    for (let n = 0; n < 100 && more; n++) more = stream.write(Buffer.alloc(16_384));
    assert.ok(!more && stream.waiting <= 100_000, `${stream.waiting} bytes wait`);
  }
  await turn();
  for (const stream of streams) stream.reset(CODE.CANCEL);
  await turn();
  assert.deepEqual([sent.length, heard.left, heard.broken], [1, 200, null]);
});

test('resets as fast as calls come end those calls, and hold nothing', async t => {
  const { client, session } = peer(t, {}, stream => stream.close(8));
  for (let n = 0; n < 500; n++) {
    const broken = await ask(client, { path: '/' }).then(
      () => false,
      () => true,
    );
    assert.ok(broken);
  }
  assert.ok(!session.destroyed);
});

/** What Node's own server sent in a session with answers of all kinds. */
async function recorded(t: TestContext): Promise<Buffer> {
  const bytes: Buffer[] = [];
  const { client, session } = peer(
    t,
    {},
    (stream, headers) => {
      stream.respond(
        { ':status': 200, 'x-a': headers[':path'], 'content-type': 'text/plain' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
      stream.end('x'.repeat(300));
    },
    {},
    piece => bytes.push(piece),
  );
  await Promise.all([ask(client, { path: '/1' }), ask(client, { path: '/2' })]);
  client.setStreamWindow(100_000);
  await ask(client, { path: '/3' });
  session.goaway();
  await turn();
  return Buffer.concat(bytes);
}

test('a real session, cut anywhere, is the same; with any bytes changed it ends each call once', async t => {
  const real = await recorded(t);
  const cuts = fc.array(fc.nat(real.length), { maxLength: 30 });
  const changes = fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { maxLength: 4 });
  const run = async (bytes: Buffer, at: readonly number[]) => {
    const ours = clientTo((_bytes, done) => setImmediate(done));
    let endings = 0;
    const bodies: string[] = [];
    const calls = ['/1', '/2', '/3'].map(path =>
      ask(ours.client, { path }).then(
        ({ body, trailers }) => {
          endings += 1;
          bodies.push(`${body.length} ${trailers['x-sum']}`);
        },
        () => void (endings += 1),
      ),
    );
    await turn();
    ours.client.setStreamWindow(100_000);
    let from = 0;
    for (const cut of [...at.toSorted((a, b) => a - b), bytes.length]) {
      ours.client.received(Buffer.from(bytes.subarray(from, cut)));
      from = cut;
    }
    ours.client.destroy('enough');
    await Promise.all(calls);
    assert.deepEqual([endings, ours.heard.left], [3, 3]);
    return bodies;
  };
  await fc.assert(
    fc.asyncProperty(cuts, async at => {
      assert.deepEqual(await run(real, at), ['300 1', '300 1', '300 1']);
    }),
    { numRuns: 500 },
  );
  await fc.assert(
    fc.asyncProperty(cuts, changes, async (at, changed) => {
      const bytes = Buffer.from(real);
      for (const [place, value] of changed) bytes[place] = value;
      await run(bytes, at);
    }),
    { numRuns: 5_000 },
  );
});
