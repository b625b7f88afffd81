import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc, INPUTS } from '../../test/fixtures/made-up.ts';
import { decodeHeader, encodeHeader } from './header-value.ts';

test('whatever is encoded is safe in a header, and decodes to itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), value => {
      const encoded = encodeHeader(value);
      assert.match(encoded, /^[\x20-\x7e\t]*$/);
      assert.equal(encoded, encoded.trim());
      assert.equal(decodeHeader(encoded), value);
    }),
    { numRuns: INPUTS },
  );
});

test('the examples of the specification', () => {
  for (const [value, encoded] of [
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
  ] as const)
    assert.equal(encodeHeader(value), encoded);
});

test('any header is decoded or refused, and nothing is decoded to something else', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), text => {
      const decoded = decodeHeader(text);
      assert.ok(decoded === null || typeof decoded === 'string');
      const sentinel = decodeHeader(`=?base64?${text}?=`);
      if (sentinel !== null)
        assert.equal(Buffer.from(sentinel).toString('base64').replace(/=/g, ''), text.replace(/=/g, ''));
    }),
    { numRuns: INPUTS },
  );
});
