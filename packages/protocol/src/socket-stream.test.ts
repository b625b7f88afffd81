import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { joinedSockets } from '../../server/test/fixtures/sockets.ts';
import { MESSAGE_BYTES } from './limits.ts';
import { SocketStream } from './socket-stream.ts';
import { FrameReader, maskedFrame, PING, TEXT } from './web-socket-frames.ts';
import { acceptance, keyOf } from './web-socket-handshake.ts';

const now = () => performance.now();
const MB = 2 ** 20;
const bytes = Buffer.from(Array.from({ length: 3 * MB + 7 }, (_, n) => (n * 31 + (n >> 8)) & 255));

/** All that comes, until so much has. */
function gathered(stream: SocketStream, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let have = 0;
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (piece: Buffer) => {
      pieces.push(piece);
      have += piece.length;
      if (have >= length) resolve(Buffer.concat(pieces));
    });
  });
}

/** A gateway's end, and an agent that sends what a test says. */
async function hostile(t: TestContext) {
  const [accepted, agent] = await joinedSockets(t);
  const stream = new SocketStream(accepted, 'gateway', now);
  const seen = { bytes: Buffer.alloc(0), error: null as Error | null, pongs: 0 };
  stream.on('data', (piece: Buffer) => {
    seen.bytes = Buffer.concat([seen.bytes, piece]);
  });
  stream.on('error', error => (seen.error = error));
  const over = new Promise<void>(resolve => stream.on('close', () => resolve()));
  const said = Promise.withResolvers<string>();
  const reader = new FrameReader(
    { masked: false, most: MESSAGE_BYTES },
    {
      binary() {},
      text() {},
      ping() {},
      pong: () => void seen.pongs++,
      close: code => said.resolve(String(code)),
    },
  );
  agent.on('data', (chunk: Buffer) => reader.read(chunk));
  const ended = once(agent, 'end').then(() => 'ended without a word');
  return { agent, accepted, stream, seen, over, answer: Promise.race([said.promise, ended]) };
}

test('what goes in at one end comes out at the other, both ways, whatever is written at once', async t => {
  const [far, near] = await joinedSockets(t);
  const [agent, gateway] = [new SocketStream(near, 'agent', now), new SocketStream(far, 'gateway', now)];
  for (const [from, to] of [
    [agent, gateway],
    [gateway, agent],
  ] as const) {
    const came = gathered(to, bytes.length);
    let at = 0;
    for (const size of [1, 0, 125, 126, 4_097, 65_535, 65_536, 65_537, 300_000]) {
      from.write(bytes.subarray(at, at + size));
      at += size;
    }
    from.cork();
    for (; at < 2 * MB; at += 9_999) from.write(bytes.subarray(at, at + 9_999));
    from.uncork();
    from.write(bytes.subarray(at));
    assert.ok((await came).equals(bytes));
    to.removeAllListeners('data');
  }
  assert.ok(agent.heardAt > 0);
});

test('the WebSocket of `ws`, as it was at both ends before, is spoken with', async t => {
  const accepting = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: MESSAGE_BYTES });
  t.after(() => accepting.close());
  await once(accepting, 'listening');
  const server = createHttpServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  const gateway = once(server, 'upgrade').then(([req, socket]) => {
    socket.write(acceptance(keyOf(req)!, null));
    return new SocketStream(socket as Socket, 'gateway', now);
  });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(client, 'open');

  const near = connect((accepting.address() as AddressInfo).port, '127.0.0.1');
  near.write(
    'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const [[served], [head]] = (await Promise.all([once(accepting, 'connection'), once(near, 'data')])) as [
    [WebSocket],
    [Buffer],
  ];
  assert.match(head.toString('latin1'), /^HTTP\/1.1 101 /);
  near.removeAllListeners('data');

  for (const [ours, theirs] of [
    [await gateway, client],
    [new SocketStream(near, 'agent', now), served],
  ] as const) {
    const came = gathered(ours, bytes.length);
    for (let at = 0; at < bytes.length; at += 200_001) theirs.send(bytes.subarray(at, at + 200_001));
    assert.ok((await came).equals(bytes));
    const back: Buffer[] = [];
    const closed = once(theirs, 'close');
    theirs.on('message', (data: Buffer, isBinary: boolean) => {
      assert.ok(isBinary && data.length <= 64 * 1024);
      back.push(data);
    });
    theirs.ping('are you there?');
    const [pong] = (await once(theirs, 'pong')) as [Buffer];
    assert.equal(pong.toString(), 'are you there?');
    ours.end(bytes);
    const [code] = (await closed) as [number];
    assert.equal(code, 1000);
    assert.ok(Buffer.concat(back).equals(bytes));
  }
});

test('what no agent may send ends its tunnel, with the close code that says why; what came before it was handed on', async t => {
  const good = maskedFrame(2, Buffer.from('good'));
  const attacks: [string, string, Buffer][] = [
    ['a frame that is not masked', '1002', Buffer.from('8203616263', 'hex')],
    ['a reserved bit', '1002', Buffer.from('c280', 'hex')],
    ['an opcode that is none', '1002', Buffer.from('8380', 'hex')],
    ['a message within another', '1002', Buffer.from('0280000000008280', 'hex')],
    ['half a close code', '1002', Buffer.from('88810000000003', 'hex')],
    ['too long a message', '1009', Buffer.from('82ff0000000000040001', 'hex')],
    ['a length with its highest bit', '1009', Buffer.from('82ff8000000000000000', 'hex')],
    ['a text', '1003', maskedFrame(TEXT, Buffer.from('{"type":"register"}'))],
    ['a text that is none', '1007', maskedFrame(TEXT, Buffer.from([0xff]))],
    ['plain HTTP', '1002', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ];
  for (const [what, code, frame] of attacks) {
    const { agent, seen, over, answer } = await hostile(t);
    agent.write(Buffer.concat([good, frame, good]));
    assert.equal(await answer, code, what);
    await over;
    assert.ok(seen.error instanceof Error, what);
    assert.equal(seen.bytes.toString(), 'good', what);
  }
});

test('a close is answered with its own code, and the connection ends; a connection that breaks ends it as well', async t => {
  const { agent, seen, over, answer } = await hostile(t);
  agent.write(
    Buffer.concat([maskedFrame(2, Buffer.from('last')), maskedFrame(8, Buffer.from([0x0f, 0xa1]))]),
  );
  assert.equal(await answer, '4001');
  await over;
  assert.deepEqual([seen.bytes.toString(), seen.error], ['last', null]);
  await once(agent, 'close');

  for (const end of ['end', 'resetAndDestroy'] as const) {
    const broken = await hostile(t);
    // Of a message the half has come.
    broken.agent.write(maskedFrame(2, Buffer.alloc(1_000, 'x')).subarray(0, 508));
    await once(broken.stream, 'data');
    broken.agent[end]();
    await broken.over;
    assert.deepEqual([broken.seen.bytes.length, broken.seen.error], [500, null]);
  }
});

test('an agent that pings and reads nothing has not more than 256 KiB of answers waiting; one that reads has them all', async t => {
  const { agent, accepted, stream, seen } = await hostile(t);
  const flood = Buffer.concat(Array.from({ length: 1_000 }, () => maskedFrame(PING, Buffer.alloc(125))));
  agent.write(flood);
  agent.write(maskedFrame(2, Buffer.from('!')));
  await once(stream, 'data');
  while (seen.pongs < 1_000) await once(agent, 'data');
  agent.pause();
  let sent = 0;
  // The system's own room is some MiB.
  for (; sent < 120_000; sent += 1_000) if (!agent.write(flood)) await once(agent, 'drain');
  agent.write(maskedFrame(2, Buffer.from('?')));
  await once(stream, 'data');
  assert.ok(accepted.writableLength <= 257 * 1024, `${accepted.writableLength} bytes wait`);
  agent.resume();
  agent.write(maskedFrame(2, Buffer.from('.')));
  await once(stream, 'data');
  assert.equal(seen.bytes.toString(), '!?.');
  assert.ok(!stream.destroyed);
});

test('a write is done when the system has it, not before: a reader that waits lets the writer wait', async t => {
  for (const [writer, end] of [
    ['gateway', 0],
    ['agent', 1],
  ] as const) {
    const ends = await joinedSockets(t);
    const [own, other] = end === 0 ? ends : [ends[1], ends[0]];
    other.pause();
    const stream = new SocketStream(own, writer, now);
    let done = 0;
    for (let n = 0; n < 64; n++) stream.write(Buffer.alloc(MB), () => void done++);
    for (let turns = 0; turns < 50; turns++) await new Promise(resolve => setImmediate(resolve));
    assert.ok(done < 64, 'no system has room for that');
    let came = 0;
    other.on('data', chunk => (came += chunk.length)).resume();
    await new Promise<void>(resolve => stream.write(Buffer.alloc(1), () => resolve()));
    assert.equal(done, 64);
    while (came < 64 * MB) await once(other, 'data');
  }
});
