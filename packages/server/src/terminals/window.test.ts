import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutputWindow } from './window.ts';

/** All that is kept from a number on. */
function all(window: OutputWindow, from: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = from; at < window.end; at += parts.at(-1)!.length) parts.push(window.read(at));
  return Buffer.concat(parts);
}

test('whatever the pieces, the window holds the last bytes, each under its number, and never writes over one', () => {
  const size = 64 * 1024;
  const window = new OutputWindow(size);
  let whole = Buffer.alloc(0);
  const views: [Buffer, Buffer][] = [];
  let seed = 1;
  for (let n = 0; n < 2_000; n++) {
    seed = (seed * 48_271) % 2_147_483_647;
    const length = seed % 7 === 0 ? seed % 40_000 : seed % 200;
    const piece = Buffer.alloc(length, n % 256);
    window.append(piece);
    whole = Buffer.concat([whole, piece]).subarray(-4 * size);
    const kept = window.end - window.start;
    assert.ok(kept <= size + 40_000 + 16 * 1024, `${kept}`);
    if (window.end > size) assert.ok(kept >= size, `${kept}`);
    if (n % 50 !== 0) continue;
    assert.ok(all(window, window.start).equals(whole.subarray(-kept)));
    if (window.end > window.start) {
      const view = window.read(window.end - 1);
      views.push([view, Buffer.from(view)]);
    }
  }
  for (const [view, copy] of views) assert.ok(view.equals(copy));
});

test('a window that holds a prompt is small', () => {
  const window = new OutputWindow(256 * 1024);
  window.append(Buffer.from('$ '));
  assert.equal(window.read(0).toString(), '$ ');
  assert.equal(window.read(0).buffer.byteLength, 2 * 1024);
  assert.equal(window.read(2).length, 0);
});

test('however little of what was read is output, the window holds no more than a few times what it keeps', () => {
  const size = 64 * 1024;
  for (const [length, apart] of [
    [20, 65_000],
    [4_096, 60_000],
    [5_000, 60_000],
    [16_000, 48_000],
    [16_384, 49_152],
    [16_384, 16_388],
  ] as const) {
    const window = new OutputWindow(size);
    for (let n = 0; n * length < 4 * size; n++) {
      const read = Buffer.allocUnsafeSlow(64 * 1024);
      for (let at = 0; at + length <= read.length; at += apart) window.append(read.subarray(at, at + length));
    }
    const held = new Map<ArrayBufferLike, number>();
    for (let at = window.start; at < window.end; ) {
      const { buffer, length: got } = window.read(at);
      held.set(buffer, buffer.byteLength);
      at += got;
    }
    const bytes = [...held.values()].reduce((sum, one) => sum + one, 0);
    assert.ok(window.end - window.start >= size);
    assert.ok(bytes <= 5 * size + 64 * 1024, `${bytes} for pieces of ${length}`);
  }
});
