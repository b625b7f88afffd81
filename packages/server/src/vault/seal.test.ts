import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from '../platform/runtime.ts';
import { type Keyring, parseKey } from './keyring.ts';
import { createSealer, kidOf } from './seal.ts';

const key = (fill: number) => parseKey(Buffer.alloc(32, fill).toString('hex'), 'test');
const sealer = (...ring: Keyring) => createSealer(ring, systemRuntime);
const BROKEN = { code: 'seal_broken' };

test('what was sealed opens at its own place, whatever its size', () => {
  const { seal, open } = sealer(key(1));
  for (const text of ['', 'ein Schlüssel ✓', 'x'.repeat(200_000)]) {
    assert.equal(open(seal(text, 'here'), 'here'), text);
  }
});

test('what was sealed for one place does not open at another', () => {
  const { seal, open } = sealer(key(1));
  assert.throws(() => open(seal('token', 'grant 1'), 'grant 2'), BROKEN);
});

test('sealing the same twice gives two envelopes, and neither holds the text', () => {
  const { seal } = sealer(key(1));
  const [a, b] = [seal('a secret token', 'here'), seal('a secret token', 'here')];
  assert.notEqual(a, b);
  for (const envelope of [a, b]) {
    for (const part of envelope.split('.'))
      assert.ok(!Buffer.from(part, 'base64url').includes('a secret token'));
  }
});

test('an envelope with any one byte changed, in any part, does not open', () => {
  const { seal, open } = sealer(key(1), key(2));
  const parts = seal('token', 'here').split('.');
  for (const at of [2, 3]) {
    const bytes = Buffer.from(parts[at]!, 'base64url');
    for (let byte = 0; byte < bytes.length; byte++) {
      const changed = Buffer.from(bytes);
      changed[byte]! ^= 1;
      const envelope = parts.with(at, changed.toString('base64url')).join('.');
      assert.throws(() => open(envelope, 'here'), BROKEN);
    }
  }
  assert.throws(() => open(parts.with(1, key(2).kid).join('.'), 'here'), BROKEN);
  assert.throws(() => open(parts.with(0, 's2').join('.'), 'here'), BROKEN);
});

test('the two layers of two envelopes cannot be put together, even of the same place', () => {
  const { seal, open } = sealer(key(1));
  const [a, b] = [seal('old', 'here').split('.'), seal('new', 'here').split('.')];
  assert.throws(() => open(a.with(3, b[3]!).join('.'), 'here'), BROKEN);
});

test('an envelope cut short or without its form is refused, and the text is not in the error', () => {
  const { seal, open } = sealer(key(1));
  const whole = seal('token', 'here');
  for (let length = 0; length < whole.length; length += 7) {
    assert.throws(
      () => open(whole.slice(0, length), 'here'),
      (error: Error & { code: string }) =>
        error.code === 'seal_broken' && (length < 20 || !error.message.includes(whole.slice(0, length))),
    );
  }
  assert.throws(() => open(`${whole}.more`, 'here'), BROKEN);
});

test('older keys of the ring open what they sealed; the newest seals', () => {
  const before = sealer(key(1)).seal('token', 'here');
  const after = sealer(key(2), key(1));
  assert.equal(after.open(before, 'here'), 'token');
  assert.equal(kidOf(before), key(1).kid);
  assert.equal(kidOf(after.seal('token', 'here')), key(2).kid);
});

test('without the key that sealed it nothing opens, and the error names which is missing', () => {
  const envelope = sealer(key(1)).seal('token', 'here');
  assert.throws(() => sealer(key(2)).open(envelope, 'here'), {
    code: 'seal_broken',
    message: new RegExp(key(1).kid),
  });
});
