import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathAllowed } from './allow.ts';
import { createToolFilter } from './tool-filter.ts';

const rules = (tools: string[], deniedTools: string[] = [], paths: string[] = []) => ({
  tools,
  deniedTools,
  paths,
});
const call = (id: unknown, name: unknown) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } });

test('a call passes when its tool is allowed and not denied; others are answered here', () => {
  const { down } = createToolFilter(rules(['read_*'], ['read_secret']));
  assert.deepEqual(down(JSON.stringify(call(1, 'read_file'))).answers, []);
  for (const name of ['write_file', 'read_secret', 'xread_file', undefined, 5, ['read_file']]) {
    const { pass, answers } = down(JSON.stringify(call(1, name)));
    assert.equal(pass, null, String(name));
    assert.equal((JSON.parse(answers[0]!) as { id: number }).id, 1);
  }
});

test('of a message that names its tool twice, the server sees the one that was looked at', () => {
  const { down } = createToolFilter(rules([], ['evil']));
  const twice = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil","name":"good"}}';
  assert.equal(down(twice).pass, JSON.stringify(call(1, 'good')));
  const other =
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good"},"params":{"name":"evil"}}';
  assert.equal(down(other).pass, null);
});

test('what is no JSON, or looks like one message to some and like another to others, does not pass', () => {
  const { down } = createToolFilter(rules([], ['evil']));
  for (const text of [
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil","arguments":{"n":NaN}}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good","NAME":"evil"}}',
  ]) {
    const { pass, answers } = down(text);
    assert.deepEqual([text, pass, answers.length], [text, null, 1]);
  }
  const long =
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good","arguments":[12345678901234567890]}}';
  assert.equal(down(long).pass, long);
});

test('of several messages in one, those that may pass do', () => {
  const { down } = createToolFilter(rules([], ['evil']));
  const { pass, answers } = down(JSON.stringify([call(1, 'evil'), call(2, 'good'), call(undefined, 'evil')]));
  assert.equal(pass, JSON.stringify([call(2, 'good')]));
  assert.equal(answers.length, 1);
});

test('lists name what may be called, and everything else is as it was', () => {
  const { up } = createToolFilter(rules([], ['b']));
  const list = (names: string[]) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      result: { tools: names.map(name => ({ name })), nextCursor: 'x' },
    });
  assert.equal(up(list(['a', 'b', 'c'])), list(['a', 'c']));
  assert.equal(up('no json'), 'no json');
});

test('a path is let through when it is allowed, or below one that is, however it is written', () => {
  const allow = rules([], [], ['/mcp', '/docs/']);
  for (const path of ['/mcp', '/mcp/', '/mcp?x=/admin', '/mcp/a', '/docs/1'])
    assert.ok(pathAllowed(allow, path), path);
  for (const path of [
    '',
    '/',
    '/mcpx',
    '/mcp/../admin',
    '/mcp/%2e%2e/admin',
    '/mcp//x',
    '/mcp\\..',
    '/mcp/%2Fx',
    '/admin',
  ])
    assert.ok(!pathAllowed(allow, path), path);
  assert.ok(pathAllowed(rules([]), '/anything'));
});
