import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HelloError, parseHello } from './hello.ts';

const agent = { name: 'a', version: '1', instance: 'x' };
const hello = (servers: unknown, more: object = {}) =>
  JSON.stringify({ protocol: 1, agent, servers, ...more });

test('a hello is read with its defaults, and what is not known is passed over', () => {
  const read = parseHello(hello([{ name: 'wiki', kind: 'http', colour: 'blue' }], { later: true }));
  assert.deepEqual(read.servers, [
    { name: 'wiki', kind: 'http', isolate: 'shared', title: null, description: null },
  ]);
});

test('a hello that does not hold is refused with where', () => {
  for (const [text, where] of [
    ['{', /no JSON/],
    ['[]', /expected an object/],
    [JSON.stringify({ protocol: 2 }), /protocol/],
    [hello([]), /servers: expected a list/],
    [hello(Array.from({ length: 65 }, (_, n) => ({ name: `n${n}`, kind: 'http' }))), /1 to 64/],
    [hello([{ name: '../x', kind: 'http' }]), /servers\[0\]\.name/],
    [hello([{ name: 'A', kind: 'http' }]), /servers\[0\]\.name/],
    [hello([{ name: 'a', kind: 'ftp' }]), /servers\[0\]\.kind/],
    [hello([{ name: 'a', kind: 'stdio', isolate: 'x' }]), /isolate/],
    [hello([{ name: 'a', kind: 'http', title: 5 }]), /title/],
    [
      hello([
        { name: 'a', kind: 'http' },
        { name: 'a', kind: 'mcp' },
      ]),
      /same name/,
    ],
  ] as const)
    assert.throws(
      () => parseHello(text),
      (error: Error) => error instanceof HelloError && where.test(error.message),
      text,
    );
});
