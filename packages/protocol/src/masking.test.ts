import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mask } from './masking.ts';

const key = Buffer.from([0, 0x37, 0xfa, 0x21, 0x3d, 0]);

test('by words is what byte by byte would be, wherever a payload begins and ends, and whichever byte of the mask is the first', () => {
  const room = Buffer.alloc(300, 'what stands beside it stays as it is');
  for (let from = 0; from < 9; from++)
    for (let length = 0; length <= 130; length++)
      for (let turn = 0; turn < 4; turn++) {
        const masked = Buffer.from(room.buffer.slice(room.byteOffset, room.byteOffset + 300));
        mask(masked.subarray(from, from + length), key, 1, turn);
        const expected = Buffer.from(room);
        for (let i = 0; i < length; i++) expected[from + i]! ^= key[1 + ((turn + i) % 4)]!;
        assert.ok(masked.equals(expected), `${length} from ${from}, turned by ${turn}`);
      }
});
