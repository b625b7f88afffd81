import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc, INPUTS } from '../../../test/fixtures/made-up.ts';
import { Malformed } from './malformed.ts';
import { ResponseReader } from './response-reader.ts';

/** What a reader makes of a connection's bytes, in pieces of any size. */
function read(text: string, options: { method?: string; cuts?: readonly number[]; closed?: boolean } = {}) {
  const told: unknown[] = [];
  let body = '';
  const reader = new ResponseReader({
    head: (status, fields) => void told.push([status, { ...fields }]),
    data: piece => void (body += piece.toString('latin1')),
    end: (trailers, persistent) => void told.push([body, { ...trailers }, persistent ? 'goes on' : 'ends']),
  });
  reader.expect(options.method ?? 'GET');
  let malformed = false;
  try {
    let at = 0;
    for (const cut of [...(options.cuts ?? []), text.length]) {
      if (cut > at) reader.push(Buffer.from(text.slice(at, cut), 'latin1'));
      at = Math.max(at, cut);
    }
    if (options.closed) told.push(reader.close());
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    malformed = true;
  }
  return malformed ? [...told, 'malformed'] : told;
}

const OK = 'HTTP/1.1 200 OK\r\n';

/** Whole messages, and what they are. */
const GOOD: [name: string, text: string, told: unknown[], options?: Parameters<typeof read>[1]][] = [
  [
    'a length',
    `${OK}Content-Length: 5\r\nX-A: 1\r\nx-a:\t2 \r\n\r\nhello`,
    [
      [200, { 'content-length': '5', 'x-a': ['1', '2'] }],
      ['hello', {}, 'goes on'],
    ],
  ],
  [
    'chunks, an extension, trailers',
    `${OK}Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n`,
    [
      [200, { 'transfer-encoding': 'Chunked' }],
      ['hello', { 'x-sum': '1' }, 'goes on'],
    ],
  ],
  ['a close', `${OK}\r\nhello`, [[200, {}], ['hello', {}, 'ends'], true], { closed: true }],
  [
    'no body for HEAD',
    `${OK}content-length: 5\r\n\r\n`,
    [
      [200, { 'content-length': '5' }],
      ['', {}, 'goes on'],
    ],
    { method: 'HEAD' },
  ],
  [
    '204',
    'HTTP/1.1 204 No Content\r\n\r\n',
    [
      [204, {}],
      ['', {}, 'goes on'],
    ],
  ],
  [
    'informational answers before it',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}content-length: 0\r\n\r\n`,
    [
      [200, { 'content-length': '0' }],
      ['', {}, 'goes on'],
    ],
  ],
  [
    'a server that says it closes',
    `${OK}connection: Close\r\ncontent-length: 0\r\n\r\n`,
    [
      [200, { connection: 'Close', 'content-length': '0' }],
      ['', {}, 'ends'],
    ],
  ],
  [
    'HTTP/1.0',
    'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok',
    [
      [200, { 'content-length': '2' }],
      ['ok', {}, 'ends'],
    ],
  ],
  [
    'a coding beside a length: the coding counts, and nothing follows on the connection',
    `${OK}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    [
      [200, { 'content-length': '3', 'transfer-encoding': 'chunked' }],
      ['a', {}, 'ends'],
    ],
  ],
  [
    'a name that objects have',
    `${OK}__proto__: x\r\nconstructor: y\r\ncontent-length: 0\r\n\r\n`,
    [
      [
        200,
        Object.fromEntries([
          ['__proto__', 'x'],
          ['constructor', 'y'],
          ['content-length', '0'],
        ]),
      ],
      ['', {}, 'goes on'],
    ],
  ],
];

for (const [name, text, told, options] of GOOD) {
  test(`a response is read whole and byte by byte: ${name}`, () => {
    assert.deepEqual(read(text, options), told);
    const every = [...text].map((_character, at) => at);
    assert.deepEqual(read(text, { ...options, cuts: every }), told);
  });
}

const BAD: [name: string, text: string][] = [
  ['no status line', 'nonsense\r\n\r\n'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n\r\n'],
  ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['two lengths', `${OK}content-length: 1\r\ncontent-length: 2\r\n\r\nab`],
  ['the same length twice', `${OK}content-length: 1\r\ncontent-length: 1\r\n\r\na`],
  ['a length with a sign', `${OK}content-length: +1\r\n\r\na`],
  ['a list of lengths', `${OK}content-length: 1, 1\r\n\r\na`],
  ['a length beyond what numbers hold', `${OK}content-length: 99999999999999999999\r\n\r\na`],
  ['another coding', `${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['two codings', `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a coding of HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['space before the colon', `${OK}content-length : 1\r\n\r\na`],
  ['a folded line', `${OK}x-a: 1\r\n b\r\n\r\n`],
  ['a bare line feed', `${OK}x-a: 1\nx-b: 2\r\n\r\n`],
  ['a bare carriage return', `${OK}x-a: 1\rx-b: 2\r\n\r\n`],
  ['a NUL', `${OK}x-a: 1\0\r\n\r\n`],
  ['no name', `${OK}: 1\r\n\r\n`],
  ['a chunk size that is none', `${OK}transfer-encoding: chunked\r\n\r\nx\r\n`],
  ['a chunk size with 0x', `${OK}transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`],
  ['a chunk that is longer than it said', `${OK}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`],
  ['bytes behind the answer', `${OK}content-length: 1\r\n\r\nab`],
  ['a second answer', `${OK}content-length: 0\r\n\r\n${OK}content-length: 0\r\n\r\n`],
  ['a head without end', `${OK}x-a: ${'a'.repeat(70_000)}`],
  ['an extension without end', `${OK}transfer-encoding: chunked\r\n\r\n1;${'a'.repeat(5_000)}`],
];

for (const [name, text] of BAD) {
  test(`what two readers could read in two ways is malformed: ${name}`, () => {
    assert.equal(read(text).at(-1), 'malformed');
    const every = [...text].map((_character, at) => at);
    assert.equal(read(text, { cuts: every }).at(-1), 'malformed');
  });
}

test('an answer that the end of the connection cuts short is none', () => {
  assert.deepEqual(read(`${OK}content-length: 5\r\n\r\nhel`, { closed: true }).at(-1), false);
  assert.deepEqual(
    read(`${OK}transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n`, { closed: true }).at(-1),
    false,
  );
  assert.deepEqual(read('HTTP/1.1 200', { closed: true }).at(-1), false);
});

test('any bytes, cut anywhere, are read alike or malformed, and never more', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      OK,
      'HTTP/1.0 200 OK\r\n',
      '\r\n',
      '\r',
      '\n',
      'content-length: 3\r\n',
      'transfer-encoding: chunked\r\n',
      'connection: close\r\n',
      '3\r\nabc\r\n',
      '0\r\n\r\n',
      'abc',
    ),
    fc.string({ maxLength: 8, unit: 'binary' }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.array(fc.nat(200)), (pieces, cuts) => {
      const text = Buffer.from(pieces.join(''), 'latin1').toString('latin1');
      const sorted = cuts.filter(cut => cut < text.length).sort((a, b) => a - b);
      assert.deepEqual(read(text, { cuts: sorted, closed: true }), read(text, { closed: true }));
    }),
    { numRuns: INPUTS },
  );
});
