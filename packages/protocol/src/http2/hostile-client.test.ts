import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameOf, hpack } from '../../../server/test/fixtures/hostile-agent.ts';
import {
  ASKED,
  besides,
  data,
  HELLO,
  head,
  many,
  number,
  OPEN,
  open,
  type Pair,
  PING,
  reset,
  setting,
  stand,
  turn,
  whole,
  widen,
} from '../../../server/test/fixtures/hostile-client.ts';
import { WINDOWS } from '../../../server/test/fixtures/http2-peer.ts';
import { held } from '../../../server/test/fixtures/memory.ts';
import { CODE, FLAG, TYPE } from './codes.ts';
import { PREFACE } from './outbox.ts';

const MB = 2 ** 20;
const { END_STREAM, END_HEADERS, PADDED, PRIORITY } = FLAG;

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
    [
      'windows that change without end',
      ENHANCE_YOUR_CALM,
      [many(60, Buffer.concat([setting(4, 1), setting(4, 2)]))],
    ],
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
