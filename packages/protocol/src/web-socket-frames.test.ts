import assert from 'node:assert/strict';
import { PassThrough, type Writable } from 'node:stream';
import { test } from 'node:test';
import * as ws from 'ws';
import { fc } from '../../server/test/fixtures/made-up.ts';
import {
  BINARY,
  FrameError,
  FrameReader,
  maskedFrame,
  PING,
  TEXT,
  writeBinary,
} from './web-socket-frames.ts';

/** The reader of `ws`, which this one is held against; its types leave it out. */
const { Receiver } = ws as unknown as {
  Receiver: new (options: { isServer: boolean; maxPayload: number }) => Writable;
};
const MOST = 1024;
/** `npm run faults` has more of them. */
const INPUTS = Number(process.env['SALLYPORT_FUZZ'] ?? 2_000);

interface Seen {
  /** Of all binary messages. */
  binary: Buffer;
  /** Everything else that was said, in its order. */
  rest: string[];
  failed: number | null;
}

function read(chunks: readonly Buffer[], masked: boolean, most = MOST): Seen {
  const binary: Buffer[] = [];
  const rest: string[] = [];
  let failed: number | null = null;
  const reader = new FrameReader(
    { masked, most },
    {
      binary: bytes => binary.push(Buffer.from(bytes)),
      text: bytes => rest.push(`text ${bytes.toString('hex')}`),
      ping: bytes => rest.push(`ping ${bytes.toString('hex')}`),
      pong: () => rest.push('pong'),
      close: code => rest.push(`close ${code}`),
    },
  );
  for (const chunk of chunks) {
    try {
      // What is masked is unmasked in place.
      reader.read(Buffer.from(chunk));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      failed ??= error.code;
    }
  }
  return { binary: Buffer.concat(binary), rest, failed };
}

async function readByWs(chunks: readonly Buffer[], isServer: boolean, most = MOST): Promise<Seen> {
  const binary: Buffer[] = [];
  const rest: string[] = [];
  let failed: number | null = null;
  const receiver = new Receiver({ isServer, maxPayload: most })
    .on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) binary.push(data);
      else rest.push(`text ${data.toString('hex')}`);
    })
    .on('ping', (data: Buffer) => rest.push(`ping ${data.toString('hex')}`))
    .on('pong', () => rest.push('pong'))
    .on('conclude', (code: number) => rest.push(`close ${code}`))
    .on('error', (error: object) => {
      const code = Object.getOwnPropertySymbols(error).map(symbol => Reflect.get(error, symbol) as unknown);
      failed ??= code.find(one => typeof one === 'number') as number;
    });
  for (const chunk of chunks) {
    if (receiver.destroyed || rest.at(-1)?.startsWith('close')) break;
    receiver.write(Buffer.from(chunk));
  }
  // A stream says what failed a turn later.
  await new Promise(resolve => setImmediate(resolve));
  return { binary: Buffer.concat(binary), rest, failed };
}

interface Frame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

function encode({ fin, opcode, payload }: Frame, masked: boolean): Buffer {
  const { length } = payload;
  const head = [(fin ? 0x80 : 0) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length < 126) head.push(mask | length);
  else head.push(mask | 126, length >> 8, length & 255);
  const key = [0x37, 0xfa, 0x21, 0x3d];
  if (!masked) return Buffer.from([...head, ...payload]);
  return Buffer.from([...head, ...key, ...payload.map((byte, i) => byte ^ key[i % 4]!)]);
}

const cut = (whole: Buffer, at: readonly number[]): Buffer[] => {
  const places = [...new Set([0, ...at.map(place => place % (whole.length + 1)), whole.length])].sort(
    (a, b) => a - b,
  );
  return places.slice(1).map((end, n) => whole.subarray(places[n]!, end));
};

const message = fc.oneof(
  fc.record({
    opcode: fc.constantFrom(TEXT, BINARY),
    parts: fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: 'grapheme', maxLength: 60 }).map(text => new Uint8Array(Buffer.from(text))),
      ),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  fc.record({
    opcode: fc.constantFrom(8, 9, 10),
    parts: fc.tuple(
      fc.oneof(
        fc.uint8Array({ maxLength: 125 }),
        fc.constantFrom(new Uint8Array([3, 232]), new Uint8Array([15, 161, 104])),
      ),
    ),
  }),
);
const framesOf = (messages: readonly { opcode: number; parts: Uint8Array[] }[]): Frame[] =>
  messages.flatMap(({ opcode, parts }) =>
    parts.map((payload, n) => ({ opcode: n === 0 ? opcode : 0, fin: n === parts.length - 1, payload })),
  );

test('what it reads is what ws reads, however frames are fragmented, cut, broken or too large', async () => {
  let broken = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 8 }),
      fc.boolean(),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
      async (messages, masked, cuts, changes) => {
        const whole = Buffer.concat(framesOf(messages).map(frame => encode(frame, masked)));
        for (const [at, byte] of changes) if (whole.length > 0) whole[at % whole.length] = byte;
        const chunks = cut(whole, cuts);
        const [ours, theirs] = [read(chunks, masked), await readByWs(chunks, masked)];
        assert.deepEqual(ours.rest, theirs.rest);
        assert.equal(ours.failed, theirs.failed);
        // Here a message is handed on before it is whole.
        assert.ok(ours.binary.subarray(0, theirs.binary.length).equals(theirs.binary));
        assert.ok(ours.binary.length - theirs.binary.length <= MOST);
        if (changes.length === 0 && ours.failed === null && !ours.rest.at(-1)?.startsWith('close'))
          assert.ok(ours.binary.equals(theirs.binary));
        if (ours.failed !== null) broken += 1;
      },
    ),
    { numRuns: INPUTS },
  );
  assert.ok(broken > 50, `${broken} were refused`);
});

test('each cut of a frame is read, and control frames between the fragments of a text', () => {
  const frames: Frame[] = [
    { fin: false, opcode: TEXT, payload: Buffer.from('M\u00e4r').subarray(0, 2) },
    { fin: true, opcode: PING, payload: Buffer.from('?') },
    { fin: true, opcode: 0, payload: Buffer.from('M\u00e4r').subarray(2) },
    { fin: true, opcode: BINARY, payload: Buffer.alloc(300, 7) },
  ];
  for (const masked of [false, true]) {
    const whole = Buffer.concat(frames.map(frame => encode(frame, masked)));
    for (let at = 0; at <= whole.length; at++) {
      const seen = read([whole.subarray(0, at), whole.subarray(at)], masked);
      assert.deepEqual(seen.rest, ['ping 3f', `text ${Buffer.from('Mär').toString('hex')}`]);
      assert.ok(seen.binary.equals(Buffer.alloc(300, 7)));
      assert.equal(seen.failed, null);
    }
  }
});

test('what RFC 6455 forbids is refused at its first byte that says so', () => {
  const refused: [number, string, boolean?][] = [
    [1002, 'c200', false], // RSV1, with no extension that would mean something by it
    [1002, 'a200'],
    [1002, '9200'],
    [1002, '8300'], // opcodes that nobody has defined
    [1002, '8b00'],
    [1002, '8280'], // masked by a server
    [1002, '8200', true], // not masked by a client
    [1002, '0900'], // a control frame in fragments
    [1002, '897e'], // and one of more than 125 bytes
    [1002, '8000'], // a continuation of nothing
    [1002, '01000100'], // a message within another
    [1009, '827f8000000000000000'], // the highest bit of a length, which none may set
    [1009, '82fe0401', true], // before its mask has come
    [1009, '827f0000000100000000'],
    [1009, '827e0401'],
    [1009, `02${'7e03ff'}${'00'.repeat(1023)}8002`], // in fragments
    [1002, '8801'], // half a close code
    [1002, '880203ed'], // 1005, which none may send
    [1002, '88020bb7'], // 2999
    [1007, '880303e8ff'],
    [1007, '8101ff'],
    [1007, '0102e28280016f'],
  ];
  for (const [code, hex, masked] of refused) {
    const bytes = Buffer.from(hex, 'hex');
    const seen = read([bytes, Buffer.from('8100', 'hex')], masked ?? false);
    assert.equal(seen.failed, code, hex);
    assert.deepEqual(seen.rest, [], hex);
  }
  assert.deepEqual(
    read([Buffer.from('8800810161', 'hex')], false).rest,
    ['close 1005'],
    'nothing after a close',
  );
});

test('a text in a million fragments takes the memory of one text', () => {
  const seen = read(
    [Buffer.from('0100', 'hex'), Buffer.from('000161'.repeat(1_000), 'hex'), Buffer.from('8000', 'hex')],
    false,
  );
  assert.deepEqual(seen.rest, [`text ${'61'.repeat(1_000)}`]);
});

test('what it writes is read by ws, at each length that has a form of its own', async () => {
  for (const length of [0, 1, 125, 126, 4_096, 4_097, 65_535, 65_536, 1024 * 1024]) {
    const data = Buffer.alloc(length, 'xyz');
    const stream = new PassThrough();
    const sent = Array.fromAsync(stream) as Promise<Buffer[]>;
    const pieces = [
      data.subarray(0, length / 3),
      data.subarray(length / 3, length / 2),
      data.subarray(length / 2),
    ];
    await new Promise<void>(resolve => writeBinary(stream, pieces, length, resolve));
    stream.end();
    const theirs = await readByWs(await sent, false, 2 ** 20);
    assert.ok(theirs.binary.equals(data), `${length}`);
    assert.equal(theirs.failed, null);
    const masked = maskedFrame(BINARY, data);
    assert.ok((await readByWs([masked], true, 2 ** 20)).binary.equals(data), `${length}`);
    assert.notDeepEqual(maskedFrame(BINARY, data), masked, 'no mask is used twice');
    assert.ok(data.equals(Buffer.alloc(length, 'xyz')), 'what is sent stays as it is');
  }
});
