import assert from 'node:assert/strict';
import { test } from 'node:test';
import { piecesOf, sendPaste, typedText } from './paste.ts';

test('a paste presses no keys but Enter and Tab', () => {
  assert.equal(typedText('a\r\nb\nc\td'), 'a\rb\rc\td');
  assert.equal(typedText('x\x1b[201~; rm -rf ~\x03\x9b201~\x7f'), 'x[201~; rm -rf ~201~');
});

test('pieces of a paste are whole characters, and together the text', () => {
  const text = '😀é'.repeat(20_000);
  const pieces = piecesOf(text);
  assert.ok(pieces.length > 4);
  const strict = new TextDecoder('utf-8', { fatal: true });
  assert.equal(pieces.map(piece => strict.decode(piece)).join(''), text);
});

test('a paste waits for the network, and ends with the keyboard', async () => {
  const sent: number[] = [];
  let pending = 0;
  let pauses = 0;
  const went = await sendPaste({
    pieces: piecesOf('x'.repeat(200_000)),
    type(piece) {
      if (sent.length === 10) return false;
      sent.push(piece.byteLength);
      pending += piece.byteLength;
      return true;
    },
    pending: () => pending,
    signal: new AbortController().signal,
    onProgress: () => assert.ok(pending <= 96 * 1024, 'never much more than the bound lies in the socket'),
    async pause() {
      pauses++;
      pending = 0;
    },
  });
  assert.equal(went, false);
  assert.equal(sent.length, 10);
  assert.ok(pauses > 0);
});
