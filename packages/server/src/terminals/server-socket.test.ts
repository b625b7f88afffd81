import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { FrameReader } from '@sallyport/protocol/web-socket-frames.ts';
import { MAX_FRAME, ServerSocket } from './server-socket.ts';

/** A server's end that the test plays. @param reads whether what is sent there is ever taken */
function ground(reads: boolean) {
  const sent: Buffer[] = [];
  const seen: string[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      if (reads) done();
    },
  });
  const socket = new ServerSocket(
    stream,
    {
      output: bytes => seen.push(`output ${bytes}`),
      drain() {},
      closed: code => seen.push(`closed ${code}`),
    },
    () => 0,
  );
  return {
    stream,
    socket,
    seen,
    /** What the server got. */
    got() {
      const got: string[] = [];
      const note = (what: string) => (bytes: Buffer) => got.push(`${what} ${bytes}`);
      const events = {
        binary: note('binary'),
        text: note('text'),
        ping: note('ping'),
        pong: () => got.push('pong'),
      };
      new FrameReader(
        { masked: true, most: MAX_FRAME },
        { ...events, close: code => got.push(`close ${code}`) },
      ).read(Buffer.concat(sent));
      return got;
    },
    async says(bytes: Buffer) {
      stream.push(bytes);
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}

test('output goes on, texts do not, a ping has its pong and a close its close', async () => {
  const it = ground(true);
  it.socket.send('{"type":"auth"}');
  it.socket.send(Buffer.from('ls'));
  await it.says(Buffer.from('820268698901' + '3f' + '810161' + '820121' + '880203e8', 'hex'));
  assert.deepEqual(it.seen, ['output hi', 'output !', 'closed 1000']);
  assert.deepEqual(it.got(), ['text {"type":"auth"}', 'binary ls', 'pong', 'close 1000']);
});

test('what is no WebSocket ends it, and the server is told why', async () => {
  const it = ground(true);
  await it.says(Buffer.from('820161' + '828161', 'hex'));
  await it.says(Buffer.from('820162', 'hex'));
  assert.deepEqual(it.seen, ['output a', 'closed 1006']);
  assert.deepEqual(it.got(), ['close 1002']);
  it.stream.destroy();
});

test('a server that pings and reads nothing has no more than a mebibyte of answers waiting', async () => {
  const it = ground(false);
  const pings = Buffer.from(`897d${'00'.repeat(125)}`.repeat(500), 'hex');
  for (let n = 0; n < 40; n++) await it.says(pings);
  assert.ok(it.socket.buffered >= MAX_FRAME && it.socket.buffered < MAX_FRAME + 200, `${it.socket.buffered}`);
  it.stream.destroy();
});
