import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { fc } from '../../test/fixtures/made-up.ts';
import { castLines, eventsOf, PieceWriter, type RecordedEvent } from './recording-form.ts';

const BROKEN = { code: 'seal_broken' };

async function* each(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}
/** The events of the text that somebody downloads. */
async function played(pieces: readonly Buffer[]): Promise<[number, string, string][]> {
  const text = (await Array.fromAsync(castLines(each(pieces)))).join('');
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as [number, string, string]);
}
const printed = (events: readonly [number, string, string][]): string =>
  events
    .filter(([, kind]) => kind === 'o')
    .map(([, , text]) => text)
    .join('');

test('whatever was printed, whenever, and however it was cut into pieces, comes back byte for byte', () => {
  const output = fc.record({
    after: fc.oneof(fc.nat(300), fc.nat(2 ** 40)),
    data: fc.uint8Array({ maxLength: 3_000 }),
    cut: fc.boolean(),
  });
  const resize = fc.record({
    after: fc.nat(300),
    cols: fc.integer({ min: 1, max: 1_000 }),
    rows: fc.integer({ min: 1, max: 1_000 }),
    cut: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(output, resize), { maxLength: 40 }), acts => {
      const writer = new PieceWriter();
      const pieces: (Buffer | null)[] = [];
      const expected: RecordedEvent[] = [];
      let at = 0;
      for (const act of acts) {
        at += act.after;
        if ('data' in act) {
          const data = Buffer.from(act.data);
          writer.output(at, data);
          expected.push({ at, kind: 'o', data });
        } else {
          writer.resized(at, act);
          expected.push({ at, kind: 'r', data: Buffer.from(`${act.cols}x${act.rows}`) });
        }
        if (act.cut) pieces.push(writer.take());
      }
      pieces.push(writer.take());
      const found = pieces.filter(piece => piece !== null).flatMap(piece => [...eventsOf(piece)]);
      assert.deepEqual(found, expected);
      assert.equal(writer.take(), null);
    }),
    { numRuns: 150 },
  );
});

test('a text is whole in what is played, wherever pieces cut its characters', async () => {
  const text = 'Ein Märchen: 龍 und 🐉, dann \x1b[1mfett\x1b[0m und "so"\\\r\n'.repeat(20);
  const bytes = Buffer.from(text);
  for (const step of [1, 2, 3, 5, 64]) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      const writer = new PieceWriter();
      writer.output(at, bytes.subarray(at, at + step));
      pieces.push(writer.take()!);
    }
    assert.equal(printed(await played(pieces)), text, `pieces of ${step}`);
  }
});

test('half a character at the very end is shown as one that is none, and a size between two halves harms neither', async () => {
  const writer = new PieceWriter();
  const dragon = Buffer.from('🐉');
  writer.output(1_000_000, dragon.subarray(0, 2));
  writer.resized(1_500_000, { cols: 100, rows: 30 });
  writer.output(2_000_000, dragon.subarray(2));
  writer.output(3_000_000, dragon.subarray(0, 3));
  assert.deepEqual(await played([writer.take()!]), [
    [1.5, 'r', '100x30'],
    [2, 'o', '🐉'],
    [3, 'o', '\ufffd'],
  ]);
});

test('a recording of an older version, whose pieces are lines already, is played as it is', async () => {
  const lines = '[0.100000, "o", "alt\\r\\n"]\n[0.200000, "r", "90x20"]\n';
  const writer = new PieceWriter();
  writer.output(300_000, Buffer.from('neu'));
  assert.deepEqual(await played([Buffer.from(lines), writer.take()!]), [
    [0.1, 'o', 'alt\r\n'],
    [0.2, 'r', '90x20'],
    [0.3, 'o', 'neu'],
  ]);
});

test('how long a piece is says little: a second of typing is as long as another', () => {
  const lengthOf = (text: string) => {
    const writer = new PieceWriter();
    for (let n = 0; n < text.length; n++) writer.output(n * 90_000, Buffer.from(text[n]!));
    return writer.take()!.length;
  };
  assert.equal(lengthOf('ls'), lengthOf('rm -rf old'));
  assert.equal(lengthOf('ls') % 256, 0);
});

test('what is no piece is refused, and never more than the memory of a piece is taken for it', () => {
  const writer = new PieceWriter();
  writer.output(5, Buffer.from('hello'));
  const piece = writer.take()!;
  const wrong = (events: Buffer, form = 1) => {
    const packed = zstdCompressSync(events);
    return Buffer.concat([Buffer.from([form, (packed.length % 128) | 128, packed.length >> 7]), packed]);
  };
  for (const other of [
    Buffer.alloc(0),
    Buffer.from([1]),
    Buffer.from([9, ...piece.subarray(1)]),
    piece.subarray(0, 12),
    wrong(Buffer.from([5, 200])),
    wrong(Buffer.from([5, 40, 1, 2, 3])),
    wrong(Buffer.alloc(20, 255)),
    wrong(Buffer.alloc(17 * 1024 * 1024)),
  ])
    assert.throws(() => [...eventsOf(other)], BROKEN, other.subarray(0, 20).toString('hex'));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      try {
        for (const _ of eventsOf(wrong(Buffer.from(bytes))));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'seal_broken');
      }
    }),
  );
});
