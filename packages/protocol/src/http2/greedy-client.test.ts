import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameOf, hpack } from '../../../server/test/fixtures/hostile-agent.ts';
import {
  besides,
  data,
  head,
  open,
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
import type { ServerStream } from './server-stream.ts';

const MB = 2 ** 20;
const { END_STREAM, END_HEADERS } = FLAG;

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
