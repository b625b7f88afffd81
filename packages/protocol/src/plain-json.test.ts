import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTwoFaced, plainJson } from './plain-json.ts';

test('what is written anew says what was read, and its numbers as they were written', () => {
  assert.equal(plainJson('{"a":1, "b":{"c":1,"c":2}, "a":3}'), '{"a":3,"b":{"c":2}}');
  assert.equal(
    plainJson('[12345678901234567890, 1.10, 1e3, 0.1234567890123456789]'),
    '[12345678901234567890,1.10,1e3,0.1234567890123456789]',
  );
  assert.equal(
    plainJson('{"text":"12345678901234567890 – grüße","no":null}'),
    '{"text":"12345678901234567890 – grüße","no":null}',
  );
  assert.throws(() => plainJson('{"a":NaN}'), SyntaxError);
});

test('a member that careless readers take for another is noticed, wherever it decides what is called', () => {
  const call = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'a', arguments: { Name: 'b' } },
  };
  assert.ok(!isTwoFaced(call));
  assert.ok(!isTwoFaced({ jsonrpc: '2.0', id: 1, result: { Name: 'x' } }));
  for (const more of [{ Method: 'ping' }, { METHOD: 'x' }, { paramſ: {} }, { Id: 2 }])
    assert.ok(isTwoFaced({ ...call, ...more }), JSON.stringify(more));
  assert.ok(isTwoFaced({ ...call, params: { name: 'a', Name: 'b' } }));
});
