import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { frameOf, hpack } from '../../../server/test/fixtures/hostile-agent.ts';
import { asker, fetchBy, serverTo, WINDOWS } from '../../../server/test/fixtures/http2-peer.ts';
import { drawn, fc } from '../../../server/test/fixtures/made-up.ts';
import { held } from '../../../server/test/fixtures/memory.ts';
import { CODE, FLAG, TYPE } from './codes.ts';
import { PREFACE } from './outbox.ts';
import type { ServerStream } from './server-stream.ts';

const MB = 2 ** 20;
const HELLO = Buffer.concat([PREFACE, frameOf(TYPE.SETTINGS, 0, 0, [])]);
const { END_STREAM, END_HEADERS, PADDED, PRIORITY } = FLAG;
type Pair = [string, string];
const ASKED: Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
];
const OPEN = hpack(ASKED);
const head = (stream: number, pairs: Pair[], flags = 0) =>
  frameOf(TYPE.HEADERS, END_HEADERS | flags, stream, hpack(pairs));
/** A request whose body is still to come, or that is whole. */
const open = (stream: number) => frameOf(TYPE.HEADERS, END_HEADERS, stream, OPEN);
const whole = (stream: number) => frameOf(TYPE.HEADERS, END_HEADERS | END_STREAM, stream, OPEN);
const data = (stream: number, text: string, flags = 0) =>
  frameOf(TYPE.DATA, flags, stream, Buffer.from(text));
const number = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const reset = (stream: number, code: number = CODE.CANCEL) =>
  frameOf(TYPE.RST_STREAM, 0, stream, number(code));
const widen = (stream: number, by: number) => frameOf(TYPE.WINDOW_UPDATE, 0, stream, number(by));
const setting = (name: number, value: number) => frameOf(TYPE.SETTINGS, 0, 0, [0, name, ...number(value)]);
const PING = frameOf(TYPE.PING, 0, 0, Buffer.alloc(8));
const many = (count: number, frame: Buffer) => Buffer.concat(Array.from({ length: count }, () => frame));
const turn = () => new Promise(resolve => setImmediate(resolve));

/** One request as it was told of. */
interface Call {
  readonly stream: ServerStream;
  body: string;
  /** 'end' and 'broken', in turn. */
  readonly told: string[];
}

/** Takes all of it. */
function taken(stream: ServerStream): Call {
  const call: Call = { stream, body: '', told: [] };
  stream.accept({
    data(piece) {
      assert.deepEqual(call.told, []);
      call.body += piece.toString('latin1');
    },
    end: () => void call.told.push('end'),
    broken: () => void call.told.push('broken'),
    drained() {},
  });
  stream.resume();
  return call;
}

/** A server, and a client that says what a test wants it to. */
function stand({ stalled = false, settings = WINDOWS, hello = HELLO, answers = true } = {}) {
  const sent: Buffer[] = [];
  const calls: Call[] = [];
  const ours = serverTo(
    (bytes, done) => {
      sent.push(Buffer.from(bytes));
      if (!stalled) setImmediate(done);
    },
    stream => {
      calls.push(taken(stream));
      if (answers) stream.respond(200, []);
    },
    settings,
  );
  ours.server.received(hello);
  /** The first number of each frame of a type, by stream. */
  const said = (type: number) => {
    const found = new Map<number, number>();
    const all = Buffer.concat(sent);
    for (let at = 0; at < all.length; at += 9 + all.readUIntBE(at, 3))
      if (all[at + 3] === type) found.set(all.readUInt32BE(at + 5), all.readUInt32BE(at + 9));
    return found;
  };
  return {
    ...ours,
    calls,
    sent,
    /** How it said goodbye; null where it did not. */
    goodbye() {
      const all = Buffer.concat(sent);
      for (let at = 0; at < all.length; at += 9 + all.readUIntBE(at, 3))
        if (all[at + 3] === TYPE.GOAWAY) return all.readUInt32BE(at + 13);
      return null;
    },
    /** With what each stream was reset. */
    resets: () => said(TYPE.RST_STREAM),
  };
}

test('what no client may send ends the connection, with the error that it is', () => {
  const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM } = CODE;
  const begun = frameOf(TYPE.HEADERS, 0, 5, OPEN);
  const attacks: [string, number, Buffer[]][] = [
    ['data to what was never opened', PROTOCOL_ERROR, [data(99, 'x')]],
    ['data to no stream', PROTOCOL_ERROR, [data(0, 'x')]],
    ['a request by an even number', PROTOCOL_ERROR, [whole(2)]],
    ['a request by no number', PROTOCOL_ERROR, [whole(0)]],
    ['a reset of what was never opened', PROTOCOL_ERROR, [reset(5)]],
    ['a reset of the connection', PROTOCOL_ERROR, [reset(0)]],
    ["a reset of a stream of the server's", PROTOCOL_ERROR, [reset(2)]],
    ['a window of what was never opened', PROTOCOL_ERROR, [widen(5, 8)]],
    ['a push', PROTOCOL_ERROR, [frameOf(TYPE.PUSH_PROMISE, 4, 1, [0, 0, 0, 2, ...OPEN])]],
    ['a continuation of nothing', PROTOCOL_ERROR, [frameOf(TYPE.CONTINUATION, 4, 5, OPEN)]],
    ['a ping within a head', PROTOCOL_ERROR, [begun, PING]],
    ['data within a head', PROTOCOL_ERROR, [begun, data(1, 'x')]],
    ['another request within a head', PROTOCOL_ERROR, [begun, whole(7)]],
    ['what nobody knows within a head', PROTOCOL_ERROR, [begun, frameOf(200, 0, 0, [])]],
    ["another's continuation", PROTOCOL_ERROR, [begun, frameOf(TYPE.CONTINUATION, 4, 3, [])]],
    ['more padding than room, in data', PROTOCOL_ERROR, [frameOf(TYPE.DATA, PADDED, 1, [3, 0, 0])]],
    ['padding without a length', PROTOCOL_ERROR, [frameOf(TYPE.DATA, PADDED, 1, [])]],
    ['more padding than room, in a head', PROTOCOL_ERROR, [frameOf(TYPE.HEADERS, PADDED | 4, 5, [9, 0x82])]],
    ['a head of flags alone', PROTOCOL_ERROR, [frameOf(TYPE.HEADERS, PADDED | PRIORITY | 4, 5, [])]],
    ['settings of a stream', PROTOCOL_ERROR, [frameOf(TYPE.SETTINGS, 0, 1, [])]],
    ['a ping of a stream', PROTOCOL_ERROR, [frameOf(TYPE.PING, 0, 1, Buffer.alloc(8))]],
    ['a goodbye of a stream', PROTOCOL_ERROR, [frameOf(TYPE.GOAWAY, 0, 1, Buffer.alloc(8))]],
    ['a frame size that cannot be', PROTOCOL_ERROR, [setting(5, 100)]],
    ['a frame size beyond all', PROTOCOL_ERROR, [setting(5, 2 ** 24)]],
    ['a switch that is none', PROTOCOL_ERROR, [setting(2, 2)]],
    ['confirmations of nothing', PROTOCOL_ERROR, [many(2, frameOf(TYPE.SETTINGS, FLAG.ACK, 0, []))]],
    ['a window that does not grow', PROTOCOL_ERROR, [widen(0, 0)]],
    ['a window that overflows', FLOW_CONTROL_ERROR, [widen(0, 0x7fff_ffff)]],
    ['a window that overflows bit by bit', FLOW_CONTROL_ERROR, [widen(0, 0x7fff_0000), widen(0, 0x1_0000)]],
    ['windows that cannot be', FLOW_CONTROL_ERROR, [setting(4, 0xffff_ffff)]],
    [
      'windows of streams that overflow',
      FLOW_CONTROL_ERROR,
      [widen(1, 0x7fff_0000), setting(4, 0x7fff_ffff)],
    ],
    ['a frame that is too long', FRAME_SIZE_ERROR, [frameOf(TYPE.DATA, 0, 1, Buffer.alloc(16_385))]],
    ['an unknown one that is too long', FRAME_SIZE_ERROR, [frameOf(200, 0, 0, Buffer.alloc(16_385))]],
    ['half a setting', FRAME_SIZE_ERROR, [frameOf(TYPE.SETTINGS, 0, 0, [0, 4])]],
    [
      'a confirmation that says something',
      FRAME_SIZE_ERROR,
      [frameOf(TYPE.SETTINGS, FLAG.ACK, 0, [0, 3, 0, 0, 0, 1])],
    ],
    ['half a ping', FRAME_SIZE_ERROR, [frameOf(TYPE.PING, 0, 0, [1])]],
    ['half a reset', FRAME_SIZE_ERROR, [frameOf(TYPE.RST_STREAM, 0, 1, [1])]],
    ['half a priority', FRAME_SIZE_ERROR, [frameOf(TYPE.PRIORITY, 0, 1, [1])]],
    ['half a window', FRAME_SIZE_ERROR, [frameOf(TYPE.WINDOW_UPDATE, 0, 1, [1])]],
    ['half a goodbye', FRAME_SIZE_ERROR, [frameOf(TYPE.GOAWAY, 0, 0, [1])]],
    ['a head that cannot be read', COMPRESSION_ERROR, [frameOf(TYPE.HEADERS, 4, 5, [0x80])]],
    ['the same of a stream that is over', COMPRESSION_ERROR, [reset(1), frameOf(TYPE.HEADERS, 4, 1, [0x80])]],
    ['the same of one that is refused', COMPRESSION_ERROR, [frameOf(TYPE.HEADERS, 4, 5, [0xbe])]],
    ['a table that is too large', COMPRESSION_ERROR, [frameOf(TYPE.HEADERS, 4, 5, [0x3f, 0xff, 0xff, 0x7f])]],
    ['pings without end', ENHANCE_YOUR_CALM, [many(3_000, PING)]],
    ['settings without end', ENHANCE_YOUR_CALM, [many(3_000, setting(3, 100))]],
    ['continuations without end', ENHANCE_YOUR_CALM, [begun, many(20, frameOf(TYPE.CONTINUATION, 0, 5, []))]],
    [
      'full continuations without end',
      ENHANCE_YOUR_CALM,
      [begun, many(20, frameOf(TYPE.CONTINUATION, 0, 5, Buffer.alloc(16_384)))],
    ],
    ['data without data, without end', ENHANCE_YOUR_CALM, [many(20_000, data(1, ''))]],
    ['goodbye with an error', CODE.NO_ERROR, [frameOf(TYPE.GOAWAY, 0, 0, [...number(0), ...number(2)])]],
  ];
  for (const [what, code, frames] of attacks) {
    const { server, heard, calls, goodbye } = stand();
    server.received(Buffer.concat([open(1), open(3)]));
    server.received(Buffer.concat(frames));
    assert.ok(heard.broken !== null, `${what}: the connection goes on`);
    assert.equal(goodbye(), code, what);
    assert.ok(server.destroyed);
    // It hears no more of what comes.
    server.received(Buffer.concat([whole(9), ...frames]));
    assert.deepEqual(
      calls.map(call => call.told),
      [['broken'], ['broken']],
      what,
    );
    assert.equal(heard.left, 2, what);
  }
});

test('a goodbye says which requests were taken', () => {
  const { server, sent } = stand();
  server.received(Buffer.concat([open(1), open(41), whole(2)]));
  const goodbye = sent.at(-1)!.subarray(-8);
  assert.deepEqual([goodbye.readUInt32BE(0), goodbye.readUInt32BE(4)], [41, CODE.PROTOCOL_ERROR]);
});

test('who does not begin as HTTP/2 begins is told so at the first byte that is wrong', () => {
  for (let cut = 0; cut <= PREFACE.length; cut++) {
    const { server, heard, calls } = stand({ hello: PREFACE.subarray(0, cut) });
    server.received(Buffer.alloc(0));
    server.received(Buffer.concat([HELLO.subarray(cut), whole(1)]));
    assert.deepEqual([heard.broken, calls.length], [null, 1]);
  }
  for (let at = 0; at < PREFACE.length; at++) {
    const changed = Buffer.from(PREFACE.subarray(0, at + 1));
    changed[at]! ^= 0x20;
    const { heard, goodbye } = stand({ hello: changed });
    assert.match(heard.broken!, /no HTTP\/2/);
    assert.equal(goodbye(), CODE.PROTOCOL_ERROR);
  }
  for (const other of ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', '\x16\x03\x01\x02', '\0'.repeat(24)])
    assert.match(stand({ hello: Buffer.from(other) }).heard.broken!, /no HTTP\/2/);
  // Settings come behind it, before anything else (RFC 9113 section 3.4).
  for (const frame of [PING, whole(1), widen(0, 1), frameOf(200, 0, 0, [])]) {
    const { heard, calls } = stand({ hello: Buffer.concat([PREFACE, frame]) });
    assert.match(heard.broken!, /no HTTP\/2/);
    assert.equal(calls.length, 0);
  }
});

/** A head that differs from a right one. */
const without = (name: string): Pair[] => ASKED.filter(pair => pair[0] !== name);
const instead = (name: string, value: string): Pair[] => [...without(name), [name, value]];
const besides = (...more: Pair[]): Pair[] => [...ASKED, ...more];

test('a request whose head is wrong is nobody asked for; it is reset, and no other', async () => {
  const wrong: [string, Pair[]][] = [
    ['nothing at all', []],
    ['no method', without(':method')],
    ['no scheme', without(':scheme')],
    ['no path', without(':path')],
    ['two methods', besides([':method', 'POST'])],
    ['two paths', besides([':path', '/'])],
    ['two authorities', besides([':authority', 'a'])],
    ['a pseudo-header that nobody knows', besides([':x', 'y'])],
    ['one that every object has', besides([':constructor', 'y'])],
    ['one of answers', besides([':status', '200'])],
    ['a pseudo-header behind a header', [['x-a', 'b'], ...ASKED]],
    ['an upper-case name', besides(['X-A', 'b'])],
    ['a name with a space', besides(['x a', 'b'])],
    ['a name with a colon', besides(['x:a', 'b'])],
    ['no name', besides(['', 'b'])],
    ['a name that breaks the line', besides(['x\r\ny', 'b'])],
    ['a line break in a value', besides(['x-a', 'b\r\nc: d'])],
    ['half a line break in a value', besides(['x-a', 'b\nc'])],
    ['a zero in a value', besides(['x-a', 'b\0'])],
    ['connection', besides(['connection', 'close'])],
    ['transfer-encoding', besides(['transfer-encoding', 'chunked'])],
    ['keep-alive', besides(['keep-alive', '5'])],
    ['proxy-connection', besides(['proxy-connection', 'close'])],
    ['upgrade', besides(['upgrade', 'h2c'])],
    ['a length that is none', besides(['content-length', '-1'])],
    ['a length in words', besides(['content-length', '0x5'])],
    ['a list of lengths', besides(['content-length', '1, 1'])],
    ['two lengths', besides(['content-length', '1'], ['content-length', '1'])],
    ['a method that is none', instead(':method', 'GET /')],
    ['a method that breaks the line', instead(':method', 'GET\r\n')],
    ['an empty method', instead(':method', '')],
    ['a path with a space', instead(':path', '/a b')],
    ['a path that breaks the line', instead(':path', '/ HTTP/1.1\r\nx: y')],
    ['a path with a zero', instead(':path', '/\0')],
    ['a path with a tab', instead(':path', '/\t')],
    ['a path with what deletes', instead(':path', '/\x7f')],
    ['a path that does not begin', instead(':path', 'a')],
    ['a whole address', instead(':path', 'http://a/')],
    ['an asterisk', instead(':path', '*')],
    ['an empty path', instead(':path', '')],
    ['CONNECT without a protocol', instead(':method', 'CONNECT')],
    ['a protocol without CONNECT', [...ASKED.slice(1), [':method', 'GET'], [':protocol', 'websocket']]],
    ['a head of 70,000 bytes', besides(['x-a', 'b'.repeat(35_000)], ['x-b', 'b'.repeat(35_000)])],
    ['too many fields', besides(...Array.from({ length: 2_000 }, (): Pair => ['a', '']))],
  ];
  for (const flags of [0, END_STREAM])
    for (const [what, pairs] of wrong) {
      const { server, heard, calls, resets } = stand();
      server.received(open(1));
      server.received(headers(3, flags, hpack(pairs)));
      if (flags === 0) server.received(Buffer.concat([data(3, 'x'), data(3, 'y', END_STREAM)]));
      server.received(Buffer.concat([data(1, 'whole', END_STREAM), whole(5)]));
      await turn();
      assert.deepEqual([...resets()], [[3, CODE.PROTOCOL_ERROR]], what);
      assert.deepEqual(
        calls.map(({ stream, body, told }) => [stream.id, body, told]),
        [
          [1, 'whole', ['end']],
          [5, '', ['end']],
        ],
        what,
      );
      assert.equal(heard.broken, null, what);
    }
});

/** A head in as many frames as it takes. */
function headers(stream: number, flags: number, block: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += 16_384) {
    const last = at + 16_384 >= block.length ? END_HEADERS : 0;
    const type = at === 0 ? TYPE.HEADERS : TYPE.CONTINUATION;
    frames.push(frameOf(type, (at === 0 ? flags : 0) | last, stream, block.subarray(at, at + 16_384)));
  }
  return Buffer.concat(frames);
}

test('a few bytes that say 48 MB of headers are reset, and cost no more than they are', async () => {
  const { server, heard, calls, resets } = stand();
  // One entry of 4,000 bytes is remembered, and said again with a byte each.
  const entry = Buffer.concat([
    Buffer.from([0x40, 3]),
    Buffer.from('x-a'),
    Buffer.from([0x7f, 0xa1, 0x1e]),
    Buffer.alloc(4_000, 'b'),
  ]);
  const before = held().heapUsed;
  for (let id = 1; id < 200; id += 2)
    server.received(
      frameOf(TYPE.HEADERS, END_HEADERS, id, Buffer.concat([OPEN, entry, Buffer.alloc(12_000, 0xbe)])),
    );
  assert.ok(held().heapUsed - before < 4 * MB);
  server.received(whole(201));
  await turn();
  assert.deepEqual([resets().size, calls.length, heard.broken], [100, 1, null]);
});

test('a length and no body is no request', async () => {
  const { server, heard, calls, resets } = stand();
  server.received(Buffer.concat([head(1, besides(['content-length', '5']), END_STREAM), whole(3)]));
  server.received(head(5, besides(['content-length', '0']), END_STREAM));
  await turn();
  assert.deepEqual([...resets()], [[1, CODE.PROTOCOL_ERROR]]);
  assert.deepEqual(
    calls.map(({ stream, told }) => [stream.id, told]),
    [
      [3, ['end']],
      [5, ['end']],
    ],
  );
  assert.equal(heard.broken, null);
});

test('what is wrong behind the head of a request breaks that one off, and no other', async () => {
  const long = head(1, besides(['content-length', '3']));
  const { PROTOCOL_ERROR, STREAM_CLOSED, FLOW_CONTROL_ERROR } = CODE;
  const trailers = (pairs: Pair[], flags: number = END_STREAM) => head(1, pairs, flags);
  const wrong: [string, number, Buffer[], string[]?][] = [
    ['more than its length', PROTOCOL_ERROR, [long, data(1, 'abcd')]],
    ['more than its length, bit by bit', PROTOCOL_ERROR, [long, data(1, 'abc'), data(1, 'd')]],
    ['less than its length', PROTOCOL_ERROR, [long, data(1, 'ab', END_STREAM)]],
    ['less than its length, with trailers', PROTOCOL_ERROR, [long, data(1, 'ab'), trailers([['x-a', 'b']])]],
    ['a second head', PROTOCOL_ERROR, [open(1), open(1)]],
    ['a second head at its end', PROTOCOL_ERROR, [open(1), whole(1)]],
    ['trailers that are not the end', PROTOCOL_ERROR, [open(1), trailers([['x-a', 'b']], 0)]],
    ['trailers with a path', PROTOCOL_ERROR, [open(1), trailers([[':path', '/x']])]],
    ['trailers with a method', PROTOCOL_ERROR, [open(1), trailers([[':method', 'GET']])]],
    ['trailers that break the line', PROTOCOL_ERROR, [open(1), trailers([['x-a', 'b\r\n']])]],
    ['data behind its end', STREAM_CLOSED, [whole(1), data(1, 'x')], ['end', 'broken']],
    ['an end behind its end', STREAM_CLOSED, [whole(1), data(1, '', END_STREAM)], ['end', 'broken']],
    ['trailers behind its end', STREAM_CLOSED, [whole(1), trailers([])], ['end', 'broken']],
    ['a window that does not grow', PROTOCOL_ERROR, [open(1), widen(1, 0)]],
    ['a window that overflows', FLOW_CONTROL_ERROR, [open(1), widen(1, 0x7fff_ffff)]],
    ['a reset', -1, [open(1), reset(1)]],
    ['a reset without an error', -1, [open(1), reset(1, CODE.NO_ERROR)]],
    ['a reset behind its end', -1, [whole(1), reset(1)], ['end', 'broken']],
  ];
  for (const [what, code, [first, ...frames], told = ['broken']] of wrong) {
    const { server, heard, calls, resets } = stand();
    server.received(Buffer.concat([first!, open(3)]));
    await turn();
    server.received(Buffer.concat(frames));
    server.received(data(3, 'whole', END_STREAM));
    await turn();
    assert.deepEqual([...resets()], code < 0 ? [] : [[1, code]], what);
    const [one, other] = calls;
    assert.deepEqual([one!.told, other!.told, other!.body], [told, ['end'], 'whole'], what);
    assert.deepEqual([heard.broken, heard.left], [null, 1], what);
  }
});

test('what comes for a call that is over, or was refused, means nothing', async () => {
  const { server, heard, calls, resets } = stand();
  // 1 is reset by the client, 3 by the server, 5 is whole; 7 was none, 9 is passed over by 11.
  server.received(Buffer.concat([open(1), reset(1), open(3), whole(5), head(7, []), whole(11)]));
  calls[1]!.stream.reset(CODE.CANCEL);
  await turn();
  calls[2]!.stream.end();
  await turn();
  const before = resets().size;
  for (const id of [1, 3, 5, 7, 9])
    for (let round = 0; round < 100; round++)
      server.received(
        Buffer.concat([
          open(id),
          whole(id),
          data(id, 'x'),
          widen(id, 0),
          reset(id),
          data(id, '', END_STREAM),
        ]),
      );
  server.received(whole(13));
  await turn();
  assert.deepEqual(
    calls.map(({ stream, told, body }) => [stream.id, told.join(), body]),
    [
      [1, 'broken', ''],
      [3, '', ''],
      [5, 'end', ''],
      [11, 'end', ''],
      [13, 'end', ''],
    ],
  );
  assert.deepEqual([heard.broken, heard.left, resets().size], [null, 3, before]);
});

test('frames and settings that nobody knows are passed over', async () => {
  const { server, heard, calls } = stand();
  const unknown = [frameOf(200, 255, 7, Buffer.alloc(9_000)), setting(999, 5), setting(8, 77), setting(2, 1)];
  server.received(Buffer.concat([...unknown, frameOf(TYPE.PRIORITY, 0, 1, Buffer.alloc(5)), open(1)]));
  server.received(Buffer.concat([...unknown, frameOf(0, PADDED | END_STREAM, 1, [2, 65, 0, 0])]));
  await turn();
  assert.deepEqual([calls[0]!.body, calls[0]!.told, heard.broken], ['A', ['end'], null]);
});

test('one more call than it takes is refused, which says that it had no effect, and the others go on', async () => {
  const { server, heard, calls, resets } = stand();
  const ids = Array.from({ length: 300 }, (_, n) => 2 * n + 1);
  server.received(Buffer.concat(ids.map(open)));
  await turn();
  assert.equal(calls.length, 256);
  assert.deepEqual(
    [...resets()],
    ids.slice(256).map(id => [id, CODE.REFUSED_STREAM]),
  );
  server.received(Buffer.concat(ids.map(id => data(id, `${id}`, END_STREAM))));
  for (const { stream, body, told } of calls) {
    assert.deepEqual([body, told], [`${stream.id}`, ['end']]);
    stream.end();
  }
  await turn();
  await turn();
  server.received(whole(601));
  assert.deepEqual([calls.length, heard.left, heard.broken], [257, 256, null]);
});

test('numbers that were chosen to meet in the table are told apart', async () => {
  const { server, calls } = stand();
  const ids = Array.from({ length: 256 }, (_, n) => n * 65_536 + 1);
  server.received(Buffer.concat(ids.map(open)));
  server.received(Buffer.concat(ids.toReversed().map(id => data(id, `${id}`, END_STREAM))));
  for (const { stream, body } of calls) assert.equal(body, `${stream.id}`);
  for (const { stream } of calls) stream.end();
  await turn();
  await turn();
  server.received(open(0x7fff_ffff));
  assert.equal(calls.length, 257);
});

test('a client may not pass over the window of a stream, nor over that of the connection', async () => {
  const { server, heard, calls, goodbye, resets } = stand();
  server.received(Buffer.concat([open(1), open(3)]));
  for (const { stream } of calls) stream.pause();
  const piece = frameOf(TYPE.DATA, 0, 1, Buffer.alloc(16_384));
  for (let sent = 0; sent < WINDOWS.streamWindow; sent += 16_384) server.received(piece);
  assert.equal(heard.left, 0);
  server.received(piece);
  await turn();
  assert.deepEqual([calls[0]!.told, calls[1]!.told, heard.broken], [['broken'], [], null]);
  assert.deepEqual([...resets()], [[1, CODE.FLOW_CONTROL_ERROR]]);
  // All in one turn: nothing is given back meanwhile. It counts for the connection, whose it is.
  for (let sent = 0; sent <= WINDOWS.connectionWindow; sent += 16_384) server.received(piece);
  assert.match(heard.broken!, /passes over its window/);
  assert.equal(goodbye(), CODE.FLOW_CONTROL_ERROR);
});

test('what waits for a reader is as much as its window, in whatever pieces it came', async () => {
  const { server, calls } = stand();
  server.received(open(1));
  const { stream } = calls[0]!;
  stream.pause();
  const before = held().arrayBuffers;
  // One byte in 16 KiB of nothing, as often as it may come: what is kept is the byte.
  for (let n = 0; n < 20_000; n++)
    server.received(Buffer.concat([data(1, 'x'), frameOf(200, 0, 0, Buffer.alloc(8_000))]));
  const grown = held().arrayBuffers - before;
  assert.ok(grown < 64 * MB, `${(grown / MB).toFixed()} MiB`);
  stream.resume();
  server.received(data(1, '', END_STREAM));
  await turn();
  assert.deepEqual([calls[0]!.body, calls[0]!.told], ['x'.repeat(20_000), ['end']]);
});

test('a hundred thousand calls that are opened and reset hold nothing, and the connection goes on', async () => {
  const { server, heard, calls } = stand();
  let broken = 0;
  const before = held().heapUsed;
  for (let id = 1; id < 200_000; id += 2) {
    server.received(Buffer.concat([open(id), reset(id)]));
    if (id % 1_000 !== 1) continue;
    broken += calls.splice(0).filter(({ told }) => told.join() === 'broken').length;
    await turn();
  }
  broken += calls.splice(0).length;
  assert.equal(broken, 100_000);
  const grown = held().heapUsed - before;
  assert.ok(grown < 8 * MB, `${(grown / MB).toFixed()} MiB`);
  server.received(whole(200_001));
  await turn();
  assert.deepEqual([calls[0]!.told, heard.left, heard.broken], [['end'], 100_000, null]);
});

test('a client that reads nothing has nothing kept for it, whatever it asks for and takes back', async () => {
  const flood = async (
    frames: (id: number) => Buffer,
    answer?: (stream: ServerStream) => void,
    settings = WINDOWS,
  ) => {
    const { server, heard, calls, sent } = stand({ stalled: true, answers: false, settings });
    server.received(whole(1));
    calls[0]!.stream.respond(200, []);
    await turn();
    assert.equal(sent.length, 1);
    const before = held();
    for (let id = 3; id < 100_003 && heard.broken === null; id += 2) {
      server.received(frames(id));
      const call = calls.pop();
      if (call !== undefined && call.stream.id !== 1) answer?.(call.stream);
    }
    const after = held();
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    assert.ok(grown < 8 * MB, `${(grown / MB).toFixed(1)} MiB`);
    // It is still there, and all that it holds.
    assert.equal(server.destroyed, heard.broken !== null);
    assert.equal(sent.length, heard.broken === null ? 1 : 2);
    return heard.broken;
  };
  const long = hpack(besides(['x-a', 'b'.repeat(4_000)]));
  const asked = (id: number) => frameOf(TYPE.HEADERS, END_HEADERS, id, long);
  // Answered, and reset before the answer could leave.
  let answered: ServerStream | null = null;
  const cancelled = await flood(
    id => Buffer.concat(answered === null ? [asked(id)] : [reset(answered.id), asked(id)]),
    stream => {
      answered = stream;
      stream.respond(200, ['x-a', 'b']);
      stream.write(Buffer.alloc(1_000));
    },
  );
  assert.equal(cancelled, null);
  // Answered when it was reset already.
  const late = await flood(
    id => Buffer.concat([asked(id), reset(id)]),
    stream => stream.respond(200, ['x-a', 'b']),
  );
  assert.equal(late, null);
  // Read, so that windows were to be given back, as far as the connection's reaches.
  const read = await flood(
    id => (id < 40_003 ? Buffer.concat([asked(id), data(id, 'x'.repeat(512)), reset(id)]) : Buffer.alloc(0)),
    () => {},
    { ...WINDOWS, streamWindow: 1_024 },
  );
  assert.equal(read, null);
  // What wants an answer of the connection's ends it some time.
  assert.match((await flood(id => head(id, [])))!, /more answers than it reads/);
  assert.match((await flood(id => Buffer.concat([asked(id), widen(id, 0)])))!, /more answers than it reads/);
  assert.match((await flood(() => PING))!, /more answers than it reads/);
  assert.match((await flood(() => setting(3, 5)))!, /more answers than it reads/);
});

test('a client that says it takes no headers gets short ones all the same, and no long ones', async () => {
  const { server, calls, sent, heard } = stand({ answers: false });
  server.received(Buffer.concat([setting(6, 0), whole(1)]));
  const { stream } = calls[0]!;
  assert.throws(() => stream.respond(200, ['x-a', 'b'.repeat(1_000)]), /longer/);
  assert.ok(!stream.answered);
  stream.respond(502, ['x-a', 'b'], true);
  await turn();
  assert.ok(Buffer.concat(sent).includes('502'));
  assert.deepEqual([heard.left, heard.broken], [1, null]);
  // Nor does it get any that are longer than ours ever are.
  server.received(Buffer.concat([setting(6, 0xffff_ffff), whole(3)]));
  assert.throws(() => calls[1]!.stream.respond(200, ['x-a', 'b'.repeat(70_000)]), /longer/);
  assert.throws(() => calls[1]!.stream.endWith(['x-a', 'b'.repeat(70_000)]), /longer/);
});

test('who grants nothing gets no more than a batch, and who writes is asked to wait', async () => {
  const { server, calls, sent, heard } = stand({ stalled: true });
  server.received(setting(4, 0));
  server.received(Buffer.concat(Array.from({ length: 200 }, (_, n) => whole(2 * n + 1))));
  for (const { stream } of calls) {
    let more = true;
    for (let n = 0; n < 100 && more; n++) more = stream.write(Buffer.alloc(16_384));
    assert.ok(!more && stream.waiting <= 100_000, `${stream.waiting} bytes wait`);
  }
  await turn();
  for (const { stream } of calls) stream.reset(CODE.CANCEL);
  await turn();
  assert.deepEqual([sent.length, heard.left, heard.broken], [1, 200, null]);
});

test('while it leaves, what is new is not taken, however much it is, and costs nothing', async () => {
  const { server, heard, calls } = stand({ stalled: true });
  server.received(open(1));
  await turn();
  server.drain();
  const before = held().heapUsed;
  for (let id = 3; id < 100_003; id += 2) server.received(Buffer.concat([open(id), data(id, 'x')]));
  assert.ok(held().heapUsed - before < 4 * MB);
  assert.equal(calls.length, 1);
  server.received(data(1, 'whole', END_STREAM));
  assert.deepEqual([calls[0]!.body, calls[0]!.told, heard.broken], ['whole', ['end'], null]);
});

test('a client that says goodbye and goes on asking can be left all the same', async () => {
  const { server, heard, calls } = stand();
  server.received(Buffer.concat([open(1), frameOf(TYPE.GOAWAY, 0, 0, Buffer.alloc(8)), open(3)]));
  server.drain();
  server.received(open(5));
  assert.equal(calls.length, 2);
  for (const { stream } of calls) stream.reset(CODE.CANCEL);
  await turn();
  await turn();
  assert.match(heard.broken!, /nothing more/);
});

test('what one takes back while it is told ends nothing else', async () => {
  // Each is told in the middle of what the connection does, and does the worst then.
  const { server, heard, calls } = stand();
  server.received(Buffer.concat([open(1), open(3), open(5), open(7)]));
  const [one, two, three, four] = calls.map(call => call.stream);
  const quiet = { data() {}, end() {}, broken() {}, drained() {} };
  let told = 0;
  one!.accept({
    ...quiet,
    data() {
      one!.reset(CODE.CANCEL);
      two!.reset(CODE.CANCEL);
    },
  });
  three!.accept({
    ...quiet,
    broken() {
      told += 1;
      three!.reset(CODE.CANCEL);
      four!.reset(CODE.CANCEL);
    },
  });
  server.received(Buffer.concat([data(1, 'x'), data(1, 'y', END_STREAM), data(3, 'x'), reset(5)]));
  four!.write(Buffer.from('nowhere'));
  await turn();
  assert.deepEqual([heard.left, told, heard.broken], [4, 1, null]);
  // And when it all ends.
  server.received(Buffer.concat([open(9), open(11), open(13)]));
  const last = calls.slice(4).map(call => call.stream);
  let ended = 0;
  for (const stream of last)
    stream.accept({
      ...quiet,
      broken() {
        ended += 1;
        for (const other of last) other.write(Buffer.alloc(10));
        server.drain();
        server.destroy('again');
      },
    });
  server.destroy('enough');
  await turn();
  assert.deepEqual([ended, heard.left], [3, 7]);
});

/** Whoever is asked does what `acts` says, one after the other, and whatever it is the call is told of once. */
function judged(acts: readonly number[]) {
  const calls: (Call & { dropped: boolean })[] = [];
  // What is thrown where it is told of would be an error of the connection's.
  const faults: string[] = [];
  let next = 0;
  const act = () => acts[next++ % acts.length]!;
  const ours = serverTo(
    (_bytes, done) => setImmediate(done),
    stream => {
      const call = { stream, body: '', told: [] as string[], dropped: false };
      calls.push(call);
      const tell = (what: string) => {
        if (call.dropped || call.told.includes(what) || call.told.includes('broken'))
          faults.push(`${call.dropped ? 'gave up' : call.told}, ${what}`);
        call.told.push(what);
        step();
      };
      stream.accept({
        data() {
          if (call.dropped || call.told.length > 0) faults.push(`${call.told}, data`);
          step();
        },
        end: () => tell('end'),
        broken: () => tell('broken'),
        drained: () => step(),
      });
      const step = () => {
        const what = act();
        if (what === 1 && !stream.answered) stream.respond(200, ['x-a', 'b']);
        else if (what === 2 && !stream.answered) stream.respond(204, [], true);
        else if (what === 3 && stream.answered) stream.write(Buffer.alloc(100_000));
        else if (what === 4 && stream.answered) stream.endWith(['x-sum', '1']);
        else if (what === 5) {
          call.dropped = true;
          stream.reset(CODE.INTERNAL_ERROR);
        } else if (what === 6 && stream.answered) {
          call.dropped = true;
          stream.end();
          stream.dismiss();
        } else if (what === 7) {
          stream.pause();
          setImmediate(() => stream.resume());
        }
      };
      stream.resume();
      step();
    },
  );
  return {
    ...ours,
    async over() {
      for (let n = 0; n < 3; n++) await turn();
      ours.server.destroy('enough');
      await turn();
      await turn();
      for (const { stream, told, dropped } of calls)
        assert.ok(dropped || told.length > 0, `${stream.id} was told nothing`);
      assert.deepEqual(faults, []);
      assert.doesNotMatch(String(ours.heard.broken), /Error/);
      assert.equal(ours.heard.left, calls.length);
      return calls;
    },
  };
}

const acts = fc.array(fc.nat(9), { minLength: 1, maxLength: 12 });

test('whatever frames come, nothing is thrown, and each call that was asked for is told how it ends', async () => {
  const id = fc.constantFrom(0, 1, 2, 3, 5, 7, 9, 65_537, 0x7fff_ffff);
  const flags = fc.constantFrom(0, 1, 4, 5, 8, 13, 0x20, 0x25);
  const blocks = [OPEN, hpack([['x-a', 'b']]), hpack(besides(['content-length', '3'])), Buffer.from([0x80])];
  const payload = fc.oneof(
    fc.constantFrom(...blocks, Buffer.from('abc'), Buffer.from(number(1)), Buffer.from(number(70_000))),
    fc.constantFrom(Buffer.alloc(8), Buffer.alloc(5), Buffer.from([0, 4, 0, 0, 0, 9]), Buffer.alloc(0)),
    fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
  );
  const one = fc.constantFrom(1, 3, 5, 7, 9, 65_537);
  const likely = fc.oneof(
    one.map(open),
    one.map(whole),
    fc.tuple(one, flags).map(([of, f]) => data(of, 'abc', f & ~PADDED)),
    one.map(of => reset(of)),
    fc.tuple(one, fc.constantFrom(0, 5, 100_000)).map(([of, by]) => widen(of, by)),
    fc.constantFrom(0, 1, 70_000).map(window => setting(4, window)),
  );
  const any = fc.tuple(fc.nat(11), flags, id, payload).map(([type, f, of, p]) => frameOf(type, f, of, p));
  const frames = fc.array(drawn(fc.oneof({ weight: 20, arbitrary: likely }, { weight: 1, arbitrary: any })), {
    maxLength: 25,
  });
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(frames, acts, fc.nat(3), async (all, does, turns) => {
      const judge = judged(does);
      judge.server.received(HELLO);
      for (const [n, frame] of all.entries()) {
        judge.server.received(frame);
        if (n % 4 < turns) await turn();
      }
      asked += (await judge.over()).length;
    }),
    { numRuns: 5_000 },
  );
  assert.ok(asked > 2_000, `${asked} were asked for`);
});

/** What Node's own client sent in a session with requests of all kinds. */
async function recorded(t: TestContext): Promise<Buffer> {
  const bytes: Buffer[] = [];
  const { session, server } = asker(
    t,
    stream => {
      const end = () => {
        stream.respond(200, []);
        stream.end(Buffer.alloc(300));
      };
      stream.accept({ data() {}, end, broken() {}, drained() {} });
      stream.resume();
    },
    { paddingStrategy: constants.PADDING_STRATEGY_MAX },
    piece => bytes.push(Buffer.from(piece)),
  );
  const post = { ':method': 'POST', ':path': '/2', 'content-type': 'text/plain' };
  await Promise.all([
    fetchBy(session, { ':path': '/1' }),
    fetchBy(session, post, { body: 'x'.repeat(300), trailers: { 'x-sum': '1' } }),
  ]);
  server.setStreamWindow(100_000);
  await fetchBy(session, { ...post, ':path': '/3', 'content-length': '5' }, { body: 'hello' });
  session.goaway();
  await turn();
  return Buffer.concat(bytes);
}

test('a real session, cut anywhere, is the same; with any bytes changed it ends each call once', async t => {
  const real = await recorded(t);
  const cuts = fc.array(fc.nat(real.length), { maxLength: 30 });
  const changes = fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { maxLength: 4 });
  const push = (one: { received(bytes: Buffer): void }, bytes: Buffer, at: readonly number[]) => {
    let from = 0;
    for (const cut of [...at.toSorted((a, b) => a - b), bytes.length]) {
      one.received(Buffer.from(bytes.subarray(from, cut)));
      from = cut;
    }
  };
  await fc.assert(
    fc.asyncProperty(cuts, async at => {
      const { server, calls, heard } = stand({ hello: Buffer.alloc(0) });
      server.setStreamWindow(100_000);
      push(server, real, at);
      await turn();
      assert.deepEqual(
        calls.map(({ stream, body, told }) => [stream.head.path, body.length, told]),
        [
          ['/1', 0, ['end']],
          ['/2', 300, ['end']],
          ['/3', 5, ['end']],
        ],
      );
      assert.equal(heard.broken, null);
      server.destroy('enough');
      assert.equal(heard.left, 3);
    }),
    { numRuns: 500 },
  );
  await fc.assert(
    fc.asyncProperty(cuts, changes, acts, async (at, changed, does) => {
      const bytes = Buffer.from(real);
      for (const [place, value] of changed) bytes[place] = value;
      const one = judged(does);
      one.server.setStreamWindow(100_000);
      push(one.server, bytes, at);
      await one.over();
    }),
    { numRuns: 3_000 },
  );
});
