import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createRecord } from './recorder.ts';
import { castLines, eventsOf } from './recording-form.ts';

const terminal = {
  upstreamId: 'box',
  id: 't1',
  userId: 'usr_1',
  sessionId: null,
  contextId: null,
  createdAt: 0,
};
const actor = { userId: 'usr_1', credentialId: null, address: '192.0.2.1' };

async function* each(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

/** A recorder over a store that writes when the test lets it. */
function house(append?: () => Promise<void>) {
  const pieces: Buffer[] = [];
  const noted: string[] = [];
  const waiting: (() => void)[] = [];
  const errors: unknown[] = [];
  let now = 0;
  let told = 0;
  const record = createRecord({
    store: {
      newId: () => 'rec_1',
      async begin({ cols, rows }: { cols: number; rows: number }) {
        noted.push(`begin ${cols}x${rows}`);
      },
      async append(_id: string, first: number, together: Buffer[], bytes: number) {
        await (append?.() ?? new Promise<void>(resolve => waiting.push(resolve)));
        pieces.push(...together);
        noted.push(`from piece ${first}: ${bytes}`);
      },
      async end() {
        noted.push('end');
      },
    },
    audit: { record() {} },
    changed() {},
    runtime: { monotonic: () => now },
    log: { error: (fields: unknown) => errors.push(fields) },
  } as unknown as Parameters<typeof createRecord>[0]);
  const recorder = record(terminal, actor, () => {
    told += 1;
  });
  return {
    recorder,
    pieces,
    noted,
    errors,
    at: (ms: number) => {
      now = ms;
    },
    get told() {
      return told;
    },
    /** Lets the oldest write through, and what follows from it happen. */
    async write() {
      while (waiting.length === 0) await new Promise(resolve => setImmediate(resolve));
      waiting.shift()!();
      await new Promise(resolve => setImmediate(resolve));
    },
    async writeAll(ended: Promise<void>) {
      let over = false;
      void ended.then(() => {
        over = true;
      });
      while (!over) {
        waiting.shift()?.();
        await new Promise(resolve => setImmediate(resolve));
      }
    },
    text: async () => (await Array.fromAsync(castLines(each(pieces)))).join(''),
  };
}

test('the shell waits while two megabytes are not written, goes on at the half, and nothing is lost', async () => {
  const it = house();
  const { recorder } = it;
  const [sent, kept] = [createHash('sha256'), createHash('sha256')];
  let length = 0;
  while (!recorder.behind) {
    // What cannot be compressed.
    const chunk = randomBytes(64 * 1024);
    recorder.output(chunk);
    sent.update(chunk);
    length += chunk.length;
  }
  assert.ok(length >= 2 * 1024 * 1024 && length < 4 * 1024 * 1024, `${length}`);
  let writes = 0;
  for (; it.told === 0; writes++) await it.write();
  assert.ok(writes >= 2, 'it goes on when half of it is written, not before');
  assert.equal(recorder.behind, false);
  await it.writeAll(recorder.end());
  assert.equal(it.noted.at(-1), 'end');
  for (const piece of it.pieces) for (const { data } of eventsOf(piece)) kept.update(data);
  assert.equal(kept.digest('hex'), sent.digest('hex'));
});

test('what is alike is written together, and no shell waits for it', async () => {
  const it = house(async () => {});
  const { recorder } = it;
  const chunk = Buffer.alloc(64 * 1024, 'x');
  for (let n = 0; n < 512; n++) recorder.output(chunk);
  assert.equal(recorder.behind, false);
  await recorder.end();
  assert.deepEqual(it.noted, ['begin 80x24', `from piece 0: ${512 * chunk.length}`, 'end']);
  assert.ok(it.pieces.length < 70);
});

test('what was written before a crash is played: pieces stand for themselves, each with its times', async () => {
  const it = house(async () => {});
  const { recorder } = it;
  recorder.resized({ cols: 100, rows: 30 });
  for (const [ms, text] of [
    [1_000, 'eins '],
    [2_500, 'zwei '],
    [4_000, 'drei'],
  ] as const) {
    it.at(ms);
    recorder.output(Buffer.from(text));
    // As each second does.
    recorder.flush();
  }
  it.at(5_000);
  recorder.output(Buffer.from(' is in no piece yet'));
  while (it.pieces.length < 3) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(it.noted, ['begin 100x30', 'from piece 0: 5', 'from piece 1: 10', 'from piece 2: 14']);
  assert.equal(
    await it.text(),
    '[1.000000, "o", "eins "]\n[2.500000, "o", "zwei "]\n[4.000000, "o", "drei"]\n',
  );
});

test('a store that fails ends the recording, says so once, and the shell goes on', async () => {
  const it = house(() => Promise.reject(new Error('the disk is full')));
  const { recorder } = it;
  const chunk = randomBytes(1024 * 1024);
  while (!recorder.behind) recorder.output(chunk);
  while (it.told === 0) await new Promise(resolve => setImmediate(resolve));
  await recorder.end();
  for (let n = 0; n < 10; n++) recorder.output(chunk);
  assert.equal(recorder.behind, false);
  assert.equal(it.errors.length, 1);
  assert.deepEqual(it.pieces, []);
});
