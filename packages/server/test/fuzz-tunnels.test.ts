import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ByteStream } from '@sallyport/protocol/byte-stream.ts';
import { HelloError, parseHello } from '@sallyport/protocol/hello.ts';
import { LineSplitter } from '@sallyport/protocol/lines.ts';
import { parseNotice } from '@sallyport/protocol/notice.ts';
import { WebSocket, WebSocketServer } from 'ws';
import { openSession } from '../../agent/src/session.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import { versionIn } from '../src/tunnels/accept.ts';
import { Connection } from '../src/tunnels/connection.ts';
import { ForeignSession } from '../src/tunnels/foreign/foreign-session.ts';
import { createTally } from '../src/tunnels/tally.ts';
import { TunnelCall } from '../src/tunnels/tunnel-call.ts';
import { fc, INPUTS } from './fixtures/made-up.ts';
import { held } from './fixtures/memory.ts';

/** They come so many to a connection. */
const FRAMES = 40;
const MB = 1024 * 1024;

/** The end of a tunnel, with nobody at the other. */
class Wire extends ByteStream {
  constructor() {
    super(() => performance.now());
  }

  come(bytes: Buffer): void {
    this.arrived(bytes);
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done();
  }
}

/** RFC 9113 section 4.1. */
function frameOf(type: number, flags: number, stream: number, payload: Uint8Array, lie = 0): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(Math.max(0, payload.length + lie), 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const SETTINGS = frameOf(4, 0, 0, new Uint8Array());
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const text = fc.oneof(
  fc.constantFrom(
    ':status',
    ':path',
    ':method',
    '200',
    '204',
    'GET',
    '/wiki/x',
    '/.sallyport/hello',
    '/.sallyport/notice',
    'content-length',
    '5',
    'sallyport-error',
    'connection',
  ),
  fc.string({ maxLength: 12 }),
);
/** A head in HPACK without compression (RFC 7541 section 6.2.2), right or not. */
const head = fc.array(fc.tuple(text, text), { maxLength: 6 }).map(pairs =>
  Buffer.concat(
    pairs.map(([name, value]) => {
      const [n, v] = [Buffer.from(name), Buffer.from(value)];
      return Buffer.concat([Buffer.from([0, n.length]), n, Buffer.from([v.length]), v]);
    }),
  ),
);
const frame = fc.oneof(
  fc
    .tuple(
      fc.nat(11),
      fc.nat(255),
      fc.constantFrom(0, 1, 1, 3, 5, 2, 2 ** 31 - 1),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(parts => frameOf(...parts)),
  // Right heads and pieces of bodies, among which the others come.
  fc
    .tuple(fc.constantFrom(4, 5), fc.constantFrom(1, 3, 5), head)
    .map(([flags, id, it]) => frameOf(1, flags, id, it)),
  fc
    .tuple(fc.constantFrom(0, 1), fc.constantFrom(1, 3), fc.uint8Array({ maxLength: 40 }))
    .map(([flags, id, it]) => frameOf(0, flags, id, it)),
  fc.constantFrom(0, 1, 8).map(code => frameOf(3, 0, 1, Buffer.from([0, 0, 0, code]))),
);
const wild = fc.oneof(
  { weight: 30, arbitrary: frame },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(frame, fc.integer({ min: -5, max: 5 }))
      .map(([it, lie]) => frameOf(it[3]!, it[4]!, 1, it.subarray(9), lie)),
  },
);
const frames = fc.array(wild, { minLength: FRAMES, maxLength: FRAMES });

const turn = () => new Promise<void>(resolve => setImmediate(resolve));

/** Runs it for all inputs; what is held after it is no more than was after its first half. */
async function withoutGrowth(run: (runs: number) => Promise<void>, runs: number): Promise<void> {
  await run(runs / 2);
  await turn();
  const before = held().heapUsed;
  await run(runs / 2);
  await turn();
  const grown = held().heapUsed - before;
  assert.ok(grown < 16 * MB, `${(grown / MB).toFixed(1)} MB more are held`);
}

test('an agent that hangs up in the moment it is let in breaks nothing', async () => {
  for (let n = 0; n < 10; n++) {
    const wire = new Wire();
    const connection = new Connection(wire, n, systemRuntime);
    if (n % 2 === 0) connection.end('enough');
    else wire.destroy();
    await connection.ended;
    await turn();
  }
});

test('whatever frames an agent sends, its calls end once and nothing else breaks', async () => {
  const property = fc.asyncProperty(frames, async sent => {
    const wire = new Wire();
    const connection = new Connection(wire, 1, systemRuntime);
    let endings = 0;
    for (let n = 0; n < 2; n++) {
      const request = { method: 'GET', path: '/', headers: [], body: null, headersTimeout: 60_000 };
      const receiver = {
        begin: () => true,
        head() {},
        data() {},
        end: () => void endings++,
        error: () => void endings++,
      };
      new TunnelCall('a/b', request, receiver, createTally(systemRuntime)).start(connection, 'b');
    }
    const hello = connection.hello().catch(() => {});
    // What is asked goes out first.
    await turn();
    wire.come(Buffer.concat([SETTINGS, ...sent]));
    await turn();
    connection.end('enough');
    await hello;
    await connection.ended;
    await turn();
    assert.equal(endings, 2);
  });
  await withoutGrowth(numRuns => fc.assert(property, { numRuns }), INPUTS / FRAMES);
});

test('whatever frames a gateway sends, its agent goes on', async () => {
  const property = fc.asyncProperty(frames, async sent => {
    const wire = new Wire();
    const session = openSession({
      stream: wire,
      hello: { protocol: 1, agent: { name: 'a', version: '1', instance: 'x' }, servers: [] },
      servers: new Map([
        [
          'wiki',
          {
            handle(call) {
              call.respond(200, []);
              call.accept({
                data: chunk => void call.write(chunk),
                end: () => call.end(),
                broken() {},
                drained() {},
              });
              call.resume();
            },
            async [Symbol.asyncDispose]() {},
          },
        ],
      ]),
      clock: systemRuntime,
      noticed() {},
    });
    wire.come(Buffer.concat([PREFACE, SETTINGS, ...sent]));
    await turn();
    session.end('enough');
    await session.ended;
    await turn();
  });
  await withoutGrowth(numRuns => fc.assert(property, { numRuns }), INPUTS / FRAMES);
});

test('a hello is read or refused with words, a notice is heard or passed over', () => {
  const word = fc.oneof(
    fc.constantFrom('wiki', '../x', 'http', 'stdio', 'shared', 'bye', 'revoked', ''),
    fc.string(),
  );
  const odd = fc.constantFrom<unknown>(null, 5, true, [], {}, [null], 'x'.repeat(300));
  const some = (value: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: odd });
  const server = fc.record(
    { name: word, kind: word, isolate: word, title: some(word) },
    { requiredKeys: [] },
  );
  const about = fc.record(
    { name: some(word), version: some(word), instance: some(word) },
    { requiredKeys: [] },
  );
  const document = fc.record(
    {
      protocol: fc.constantFrom<unknown>(1, 1, 2, '1'),
      agent: some(about),
      servers: some(fc.array(some(server), { maxLength: 4 })),
      type: word,
      code: word,
      detail: some(word),
    },
    { requiredKeys: [] },
  );
  const input = fc.oneof(
    document.map(value => JSON.stringify(value)),
    fc.json({ maxDepth: 2 }),
    fc.string(),
  );
  fc.assert(
    fc.property(input, given => {
      parseNotice(given);
      versionIn(given);
      try {
        for (const { name } of parseHello(given).servers) assert.match(name, /^[a-z0-9][a-z0-9._-]{0,62}$/);
      } catch (error) {
        assert.ok(error instanceof HelloError, String(error));
      }
    }),
    { numRuns: INPUTS },
  );
});

test('lines are the same however their bytes are cut', () => {
  const line = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .map(one => `<${one.replaceAll('\n', '')}>`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.array(fc.nat(80), { maxLength: 5 }), (lines, cuts) => {
      const bytes = Buffer.from(lines.map(one => `${one}\n`).join('\r\n'));
      const seen: string[] = [];
      const splitter = new LineSplitter(one => void seen.push(one));
      let from = 0;
      for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
        splitter.push(bytes.subarray(from, Math.max(from, cut)));
        from = Math.max(from, Math.min(cut, bytes.length));
      }
      assert.deepEqual(seen, lines);
    }),
    { numRuns: INPUTS },
  );
});

test("whatever a ContextForge agent's frames hold, they are answered or taken, and its session goes on", async t => {
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.after(() => listener.close());
  await once(listener, 'listening');
  const socket = new WebSocket(`ws://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  const [[accepted]] = (await Promise.all([once(listener, 'connection'), once(socket, 'open')])) as [
    [WebSocket],
    unknown,
  ];
  const session = new ForeignSession(accepted, {
    id: 'rps_1',
    epoch: 1,
    runtime: systemRuntime,
    registered: async () => null,
  });
  t.after(() => session.bye('stopping', 'the test is over'));
  let messages = 0;
  session.lines('a/b', { instance: 'x' }, { message: () => void messages++, closed() {} });

  const type = fc.constantFrom('heartbeat', 'response', 'notification', 'request', 'x', '__proto__', '');
  const id = fc.oneof(
    fc.integer(),
    fc.constantFrom<unknown>('init-1', 'rq-1', 'sallyport-initialize', null, {}),
  );
  const payload = fc.oneof(
    fc.record(
      { jsonrpc: fc.constant('2.0'), id, method: fc.string(), result: fc.jsonValue({ maxDepth: 1 }) },
      { requiredKeys: [] },
    ),
    fc.jsonValue({ maxDepth: 1 }),
  );
  const envelope = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .record({ type, sessionId: fc.jsonValue({ maxDepth: 1 }), payload }, { requiredKeys: [] })
        .map(value => JSON.stringify(value)),
    },
    { weight: 1, arbitrary: fc.oneof(fc.json({ maxDepth: 2 }), fc.string()) },
  );
  // What ends a session on purpose is left out.
  const given = fc.array(
    envelope.filter(one => !/"(un)?register"/.test(one)),
    { minLength: 100, maxLength: 100 },
  );
  let round = 0;
  const property = fc.asyncProperty(given, async sent => {
    for (const one of sent) socket.send(one);
    const mark = `mark-${++round}`;
    const answered = new Promise<void>(resolve => {
      const look = (data: Buffer) => {
        if (!data.toString().includes(`of type ${mark}.`)) return;
        socket.off('message', look);
        resolve();
      };
      socket.on('message', look);
    });
    socket.send(JSON.stringify({ type: mark }));
    await answered;
  });
  await withoutGrowth(numRuns => fc.assert(property, { numRuns }), INPUTS / 100);
  assert.equal(session.over, false);
  assert.ok(messages > INPUTS / 100);
});
