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
