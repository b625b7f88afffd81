import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { test } from 'node:test';
import { asker, fetchBy } from '../../../server/test/fixtures/http2-peer.ts';
import { CODE, type Http2Error } from './codes.ts';
import type { Fields } from './fields.ts';
import type { ServerStream } from './server-stream.ts';
import type { BodyTaker } from './stream.ts';

const turn = () => new Promise(resolve => setImmediate(resolve));
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const MB = 2 ** 20;

/** Takes what comes as a test wants it taken. */
function take(stream: ServerStream, taker: Partial<BodyTaker>): void {
  stream.accept({ data() {}, end() {}, broken() {}, drained() {}, ...taker });
  stream.resume();
}

/** What came goes back, at the other end's pace. */
function echo(stream: ServerStream, headers: readonly string[] = []): void {
  stream.respond(200, headers);
  take(stream, {
    data(chunk) {
      if (!stream.write(chunk)) stream.pause();
    },
    end: () => stream.end(),
    drained: () => stream.resume(),
  });
}

/** Answers at once, wholly. */
function say(stream: ServerStream, text: string): void {
  stream.respond(200, []);
  stream.end(Buffer.from(text));
  stream.dismiss();
}

test('requests and answers of all kinds pass between node:http2 and ours', async t => {
  const { session, heard } = asker(t, stream => {
    const { path, method, fields } = stream.head;
    if (path === '/none') stream.respond(204, [], true);
    else if (method === 'HEAD') stream.respond(200, ['content-length', '5'], true);
    else echo(stream, ['x-said', String(fields['x-said']), 'set-cookie', 'a=b', 'set-cookie', 'c=d']);
    stream.resume();
  });
  for (let n = 0; n < 4; n++) {
    const head = { ':method': 'POST', ':path': '/x?y=%20', 'x-said': `it ${n}` };
    const { status, headers, body } = await fetchBy(session, head, { body: 'hello' });
    assert.deepEqual([status, body.toString(), headers['x-said']], [200, 'hello', `it ${n}`]);
    assert.deepEqual(headers['set-cookie'], ['a=b', 'c=d']);
  }
  const bare = await fetchBy(session, { ':path': '/' });
  assert.deepEqual([bare.status, bare.body.length, bare.headers['x-said']], [200, 0, 'undefined']);
  const none = await fetchBy(session, { ':path': '/none' });
  assert.deepEqual([none.status, none.body.length], [204, 0]);
  const head = await fetchBy(session, { ':method': 'HEAD', ':path': '/' });
  assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '5', 0]);
  assert.deepEqual([heard.left, heard.broken], [7, null]);
});

test('a request says what it is, and its cookies come as the client cut them', async t => {
  const asked: ServerStream['head'][] = [];
  const { session } = asker(t, stream => {
    asked.push(stream.head);
    say(stream, '');
  });
  const length = { 'content-length': '3' };
  await fetchBy(session, { ':method': 'PROPFIND', ':path': '/a/b?c', cookie: ['a=b', 'c=d'] });
  await fetchBy(session, { ':method': 'PUT', ':path': '/', ...length, cookie: 'a=b' }, { body: 'put' });
  const [first, second] = asked;
  assert.deepEqual(
    [first!.method, first!.path, first!.protocol, first!.length],
    ['PROPFIND', '/a/b?c', null, -1],
  );
  assert.deepEqual([first!.fields['cookie']].flat().join('; '), 'a=b; c=d');
  assert.deepEqual([second!.method, second!.length, second!.fields['content-length']], ['PUT', 3, '3']);
  assert.equal(second!.fields['cookie'], 'a=b');
});

test('16 MiB go both ways, and 64 streams at once, with padding around what comes', async t => {
  const paddingStrategy = constants.PADDING_STRATEGY_MAX;
  const { session, heard } = asker(t, stream => echo(stream), { paddingStrategy });
  const body = randomBytes(16 * MB);
  const head = { ':method': 'POST', ':path': '/' };
  assert.equal(hash((await fetchBy(session, head, { body })).body), hash(body));
  const piece = (n: number) => body.subarray(n, n + 300_000 + n);
  const all = await Promise.all(
    Array.from({ length: 64 }, (_, n) => fetchBy(session, head, { body: piece(n) })),
  );
  for (const [n, { body: came }] of all.entries()) assert.ok(came.equals(piece(n)));
  await turn();
  assert.deepEqual([heard.left, heard.broken], [65, null]);
});

test('trailers come with the end, both ways, with a body and without one', async t => {
  const came: Fields[] = [];
  const { session, heard } = asker(t, stream => {
    stream.respond(200, []);
    take(stream, {
      data: chunk => void stream.write(chunk),
      end(trailers) {
        came.push({ ...trailers });
        stream.endWith(['x-sum', '7']);
      },
    });
  });
  const head = { ':method': 'POST', ':path': '/' };
  for (const body of ['it', '']) {
    const answer = await fetchBy(session, head, { body, trailers: { 'x-mine': '8' } });
    assert.deepEqual([answer.body.toString(), answer.trailers['x-sum']], [body, '7']);
  }
  assert.deepEqual(came, [{ 'x-mine': '8' }, { 'x-mine': '8' }]);
  assert.equal(heard.left, 2);
});

test('heads that take several frames pass both ways; one that is longer than the client takes is not sent', async t => {
  const thrown: unknown[] = [];
  const { session } = asker(t, stream => {
    const long = String(stream.head.fields['x-long']);
    if (stream.head.path === '/more')
      try {
        stream.respond(200, ['x-long', long, 'x-more', long]);
      } catch (error) {
        thrown.push(error);
      }
    if (!stream.answered) stream.respond(200, ['x-long', long], true);
    stream.dismiss();
  });
  const long = randomBytes(22_000).toString('hex');
  for (const path of ['/', '/more']) {
    const { headers, status } = await fetchBy(session, { ':path': path, 'x-long': long });
    assert.deepEqual([status, headers['x-long']], [200, long]);
  }
  assert.equal(thrown.length, 1);
});

test('what cannot stand in a head is not sent, and can be answered otherwise', async t => {
  const wrong = [
    ['x-a', 'b\r\nset-cookie: c'],
    ['X-A', 'b'],
    ['x a', 'b'],
    ['connection', 'close'],
    ['x-a', 'ΔΩ'],
  ];
  let thrown = 0;
  const { session } = asker(t, stream => {
    for (const head of wrong)
      assert.throws(
        () => stream.respond(200, head),
        () => ++thrown > 0,
      );
    assert.throws(() => stream.endWith(wrong[0]!));
    stream.respond(500, [], true);
    stream.resume();
  });
  assert.equal((await fetchBy(session, { ':path': '/' })).status, 500);
  assert.equal(thrown, wrong.length);
});

test('what the client resets is broken off, what is reset here it hears of, and nobody else is harmed', async t => {
  const told: string[] = [];
  const broken = Promise.withResolvers<Http2Error>();
  let mine: ServerStream;
  const { session, heard } = asker(t, stream => {
    const { path } = stream.head;
    if (path === '/') return say(stream, 'whole');
    stream.respond(200, []);
    stream.write(Buffer.from('half'));
    take(stream, {
      broken(error) {
        told.push(`${path} broken`);
        broken.resolve(error);
      },
    });
    mine = stream;
  });
  const half = await fetchBy(
    session,
    { ':path': '/broken' },
    {
      began(stream) {
        stream.end();
        stream.once('data', () => mine.reset(CODE.INTERNAL_ERROR));
      },
    },
  );
  assert.deepEqual([half.body.toString(), half.code], ['half', CODE.INTERNAL_ERROR]);
  const began = (stream: ClientHttp2Stream) => stream.once('data', () => stream.close(CODE.CANCEL));
  void fetchBy(session, { ':method': 'POST', ':path': '/cancel' }, { began });
  assert.equal((await broken.promise).code, CODE.CANCEL);
  assert.equal((await fetchBy(session, { ':path': '/' })).body.toString(), 'whole');
  await turn();
  // Who reset it hears nothing further.
  assert.deepEqual(told, ['/cancel broken']);
  assert.deepEqual([heard.left, heard.broken], [3, null]);
});

test('whoever asked and went away is heard of also behind the end of the request', async t => {
  const told: string[] = [];
  const gone = Promise.withResolvers<void>();
  const { session, heard } = asker(t, stream => {
    stream.respond(200, []);
    stream.write(Buffer.from('an event'));
    take(stream, {
      end: () => void told.push('end'),
      broken() {
        told.push('broken');
        gone.resolve();
      },
    });
  });
  void fetchBy(
    session,
    { ':path': '/' },
    {
      began(stream) {
        stream.end();
        stream.on('data', () => stream.close(CODE.CANCEL));
      },
    },
  );
  await gone.promise;
  assert.deepEqual([told, heard.left], [['end', 'broken'], 1]);
});

test('a reader who pauses holds up its own stream at its window, and no other; then it gets all of it', async t => {
  const body = randomBytes(4 * MB);
  const paused = Promise.withResolvers<ServerStream>();
  const pieces: Buffer[] = [];
  const { session } = asker(t, stream => {
    if (stream.head.path !== '/flood') return say(stream, 'quick');
    take(stream, {
      data: piece => void pieces.push(piece),
      end: () => stream.respond(204, [], true),
    });
    stream.pause();
    paused.resolve(stream);
  });
  let sent = 0;
  const flood = fetchBy(
    session,
    { ':method': 'POST', ':path': '/flood' },
    {
      began(stream) {
        const more = (at: number): void => {
          sent = at;
          if (at === body.length) stream.end();
          else stream.write(body.subarray(at, at + 65_536), () => more(at + 65_536));
        };
        more(0);
      },
    },
  );
  const stream = await paused.promise;
  for (let n = 0; n < 50; n++)
    assert.equal((await fetchBy(session, { ':path': '/' })).body.toString(), 'quick');
  assert.ok(sent > 0 && sent <= MB, `${sent} bytes were taken`);
  assert.equal(pieces.length, 0);
  stream.resume();
  assert.equal((await flood).status, 204);
  assert.equal(hash(Buffer.concat(pieces)), hash(body));
});

test('a client whose windows change, below zero too, gets what it takes, and who writes is asked to wait', async t => {
  const body = randomBytes(300_000);
  const waited: boolean[] = [];
  const { session } = asker(
    t,
    stream => {
      stream.respond(200, []);
      waited.push(stream.write(body.subarray(0, 200_000)));
      take(stream, { drained: () => stream.end(body.subarray(200_000)) });
    },
    { settings: { initialWindowSize: 40_000 } },
  );
  const calls = Array.from({ length: 10 }, () => fetchBy(session, { ':path': '/' }));
  await once(session, 'remoteSettings');
  for (const initialWindowSize of [10, 0, 70_000, 1, 1_000]) {
    session.settings({ initialWindowSize });
    await turn();
  }
  for (const answer of await Promise.all(calls)) assert.ok(answer.body.equals(body));
  assert.ok(waited.every(room => !room));
});

test('windows of all streams are narrowed when the client has confirmed, and widened at once', async t => {
  const { session, server, heard } = asker(t, stream => echo(stream));
  const body = randomBytes(MB);
  const post = () => fetchBy(session, { ':method': 'POST', ':path': '/' }, { body });
  const calls = Array.from({ length: 8 }, post);
  server.setStreamWindow(32_768);
  assert.ok(server.unsettled);
  for (const answer of await Promise.all(calls)) assert.equal(answer.body.length, MB);
  assert.equal(session.remoteSettings.initialWindowSize, 32_768);
  assert.ok(!server.unsettled);
  server.setStreamWindow(524_288);
  assert.equal((await post()).body.length, MB);
  assert.deepEqual([heard.settled, heard.broken], [3, null]);
});

test('who is answered before its body came gets the whole answer, and is told to send no more of it', async t => {
  const body = randomBytes(2 * MB);
  const { session, heard } = asker(t, stream => {
    stream.respond(413, ['x-why', 'too long']);
    stream.end(body);
    stream.dismiss();
  });
  let sent = 0;
  const answer = await fetchBy(
    session,
    { ':method': 'POST', ':path': '/' },
    {
      began(stream) {
        // Without an end.
        const more = () =>
          stream.write(Buffer.alloc(65_536), error => {
            sent += 1;
            if (!error) more();
          });
        more();
      },
    },
  );
  assert.deepEqual([answer.status, answer.headers['x-why'], answer.code], [413, 'too long', CODE.NO_ERROR]);
  assert.equal(hash(answer.body), hash(body));
  await turn();
  assert.ok(sent > 0);
  assert.deepEqual([heard.left, heard.broken], [1, null]);
  assert.equal((await fetchBy(session, { ':path': '/' })).status, 413);
});

test('one that leaves ends what it has taken and nothing new; then it is over', async t => {
  const took = Promise.withResolvers<ServerStream>();
  let asked = 0;
  const { session, server, heard, over } = asker(t, stream => {
    asked += 1;
    took.resolve(stream);
    stream.resume();
  });
  const taken = fetchBy(session, { ':path': '/' });
  const stream = await took.promise;
  const goodbye = once(session, 'goaway');
  // On its way already when the client hears of it.
  server.drain();
  server.drain();
  const late = fetchBy(session, { ':path': '/late' });
  assert.deepEqual((await goodbye).slice(0, 2), [CODE.NO_ERROR, 1]);
  assert.equal(heard.broken, null);
  stream.respond(200, []);
  stream.end(Buffer.from('after all'));
  assert.equal((await taken).body.toString(), 'after all');
  assert.equal((await late).status, 0);
  assert.match(await over, /nothing more/);
  assert.deepEqual([asked, heard.left], [1, 1]);
});

test('one that leaves while nothing is under way is over at once, and the client hears why', async t => {
  const { session, server, over } = asker(t, stream => say(stream, 'it'));
  assert.equal((await fetchBy(session, { ':path': '/' })).body.toString(), 'it');
  const goodbye = once(session, 'goaway');
  server.drain();
  assert.match(await over, /nothing more/);
  assert.deepEqual((await goodbye).slice(0, 2), [CODE.NO_ERROR, 1]);
});

test('a client that leaves gets what it asked for; then the connection is over', async t => {
  const took = Promise.withResolvers<ServerStream>();
  const { session, heard, over } = asker(t, stream => {
    took.resolve(stream);
    stream.resume();
  });
  const taken = fetchBy(session, { ':path': '/' });
  const stream = await took.promise;
  session.goaway(CODE.NO_ERROR);
  await turn();
  assert.equal(heard.broken, null);
  stream.respond(200, []);
  stream.end(Buffer.from('after all'));
  assert.equal((await taken).body.toString(), 'after all');
  await over;
});

test('pings are answered, and a WebSocket is opened by extended CONNECT', async t => {
  const { session } = asker(t, stream => {
    assert.deepEqual([stream.head.method, stream.head.protocol], ['CONNECT', 'websocket']);
    echo(stream, ['sec-websocket-protocol', 'chat']);
  });
  await once(session, 'remoteSettings');
  assert.ok(session.remoteSettings.enableConnectProtocol);
  await new Promise((resolve, reject) =>
    session.ping((error: Error | null) => (error === null ? resolve(null) : reject(error))),
  );
  const head = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/' };
  const { body, headers } = await fetchBy(session, head, {
    began(stream) {
      stream.write('frame');
      stream.once('data', () => stream.end('and frame'));
    },
  });
  assert.deepEqual([body.toString(), headers['sec-websocket-protocol']], ['frameand frame', 'chat']);
});

test('more at once than it takes are asked for later, and all are answered', async t => {
  let now = 0;
  let most = 0;
  const { session, heard } = asker(t, stream => {
    most = Math.max(most, ++now);
    take(stream, {
      end() {
        now -= 1;
        say(stream, stream.head.path);
      },
    });
  });
  await once(session, 'remoteSettings');
  const all = await Promise.all(
    Array.from({ length: 600 }, (_, n) =>
      fetchBy(session, { ':method': 'POST', ':path': `/${n}` }, { body: 'x'.repeat(n) }),
    ),
  );
  for (const [n, { body }] of all.entries()) assert.equal(body.toString(), `/${n}`);
  assert.ok(most <= 256, `${most} at once`);
  assert.deepEqual([heard.left, heard.broken], [600, null]);
});

test('what is written to a call that is over goes nowhere', async t => {
  const over = Promise.withResolvers<ServerStream>();
  let leave = () => {};
  const { session, heard } = asker(t, stream => {
    if (stream.head.path === '/') return say(stream, 'it');
    take(stream, { broken: () => over.resolve(stream) });
    leave();
  });
  void fetchBy(
    session,
    { ':method': 'POST', ':path': '/gone' },
    {
      began(stream) {
        leave = () => stream.close(CODE.CANCEL);
      },
    },
  );
  const stream = await over.promise;
  assert.ok(stream.closed);
  stream.respond(200, []);
  assert.ok(stream.write(Buffer.alloc(MB)));
  stream.endWith(['x-sum', '1']);
  stream.dismiss();
  stream.reset(CODE.CANCEL);
  assert.equal(stream.waiting, 0);
  assert.equal((await fetchBy(session, { ':path': '/' })).body.toString(), 'it');
  assert.deepEqual([heard.left, heard.broken], [2, null]);
});
