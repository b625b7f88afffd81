import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, peer } from '../../../server/test/fixtures/http2-peer.ts';
import { fc } from '../../../server/test/fixtures/made-up.ts';
import { Http2Error } from './codes.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function read(decoder: HpackDecoder, block: Buffer): string[] {
  const fields: string[] = [];
  decoder.read(block, { field: (name, value) => void fields.push(name, value) });
  return fields;
}

const REQUESTS = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [
    ':method',
    'GET',
    ':scheme',
    'http',
    ':path',
    '/',
    ':authority',
    'www.example.com',
    'cache-control',
    'no-cache',
  ],
  [
    ':method',
    'GET',
    ':scheme',
    'https',
    ':path',
    '/index.html',
    ':authority',
    'www.example.com',
    'custom-key',
    'custom-value',
  ],
];
const DATES = ['Mon, 21 Oct 2013 20:13:21 GMT', 'Mon, 21 Oct 2013 20:13:22 GMT'];
const AT = 'https://www.example.com';
const RESPONSES = [
  [':status', '302', 'cache-control', 'private', 'date', DATES[0]!, 'location', AT],
  [':status', '307', 'cache-control', 'private', 'date', DATES[0]!, 'location', AT],
  [
    ...[':status', '200', 'cache-control', 'private', 'date', DATES[1]!, 'location', AT],
    ...['content-encoding', 'gzip', 'set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
];

test('the examples of RFC 7541 appendix C are read as they are meant', () => {
  const examples: [string, string[][], string[]][] = [
    [
      'C.3',
      REQUESTS,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4',
      REQUESTS,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
    // Their table is of 256 bytes, which is said first here.
    [
      'C.5',
      RESPONSES,
      [
        `3fe1 01 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073
         3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`.replace(/\s/g, ''),
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a
         584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`.replace(
          /\s/g,
          '',
        ),
      ],
    ],
    [
      'C.6',
      RESPONSES,
      [
        '3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36
         72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`.replace(/\s/g, ''),
      ],
    ],
  ];
  for (const [name, heads, blocks] of examples) {
    const decoder = new HpackDecoder();
    for (const [n, head] of heads.entries())
      assert.deepEqual(read(decoder, bytes(blocks[n]!)), head, `${name}.${n + 1}`);
  }
  const decoder = new HpackDecoder();
  assert.deepEqual(read(decoder, bytes('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')), [
    'custom-key',
    'custom-header',
  ]);
  assert.deepEqual(read(decoder, bytes('040c 2f73 616d 706c 652f 7061 7468')), [':path', '/sample/path']);
  assert.deepEqual(read(decoder, bytes('1008 7061 7373 776f 7264 0673 6563 7265 74')), [
    'password',
    'secret',
  ]);
});

test('what no encoder writes is an error of the connection, and takes no time', () => {
  const wrong = {
    'an index of zero': '80',
    'an index of nothing': 'be',
    'a name of nothing': '7f00 0161',
    'half an integer': '3f',
    'an integer without end': '7fff ffff ffff ffff ffff 01',
    'a table that is too large': '3fe2 1f',
    'a table that changes within a head': '82 3fe1 01',
    'a text longer than its head': '0085 61',
    'the end of a text within it': '0084 ffff ffff 0161',
    'a text that ends with more than 7 ones': '0082 07ff 0161',
    'a text that is not filled up with ones': '0081 00 0161',
  };
  for (const [what, hex] of Object.entries(wrong))
    assert.throws(
      () => read(new HpackDecoder(), bytes(hex)),
      (error: Http2Error) => error instanceof Http2Error && error.code === 9,
      what,
    );
});

const name = fc.oneof(
  fc.constantFrom(
    'accept',
    'content-type',
    'user-agent',
    'cache-control',
    'mcp-method',
    'x-a',
    'authorization',
    'etag',
  ),
  fc.stringMatching(/^x-[a-z0-9_.~-]{1,20}$/),
);
const value = fc.oneof(
  fc.constantFrom('a', 'application/json', 'x'.repeat(200), ''),
  fc.stringMatching(/^([!-~]([ -~]{0,20}[!-~])?)?$/),
);
const head = fc.array(fc.tuple(name, value), { maxLength: 12 }).map(pairs => pairs.flat());

test('whatever is written is read again, while the size of the table changes', () => {
  const into = Buffer.alloc(65_536);
  const given = fc.array(fc.tuple(head, fc.option(fc.nat(5_000))), { maxLength: 20 });
  fc.assert(
    fc.property(given, rounds => {
      const [encoder, decoder] = [new HpackEncoder(), new HpackDecoder()];
      for (const [fields, size] of rounds) {
        if (size !== null) encoder.resize(size);
        const end = encoder.write(fields, into, 0);
        assert.deepEqual(read(decoder, Buffer.from(into.subarray(0, end))), fields);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('what says who somebody is is never remembered, and what comes again takes one byte', () => {
  const into = Buffer.alloc(1_024);
  const encoder = new HpackEncoder();
  const size = (...fields: string[]) => encoder.write(fields, into, 0);
  for (const secret of ['authorization', 'cookie', 'x-api-key']) {
    assert.equal(size(secret, 'who I am'), size(secret, 'who I am'));
    assert.equal(into[0]! & 0xf0, 0x10, 'and nobody on the way may do so (RFC 7541 section 6.2.3)');
  }
  assert.equal(size('mcp-session-id', 'abc'), size('mcp-session-id', 'abc'));
  const sizes = [1, 2, 3].map(() => size('content-type', 'application/json'));
  assert.equal(sizes[2], 1);
});

test('node:http2 reads what ours writes, and the other way round, whatever the headers', async t => {
  const { client } = peer(t, {}, (stream, headers) => {
    const { ':path': _p, ':method': _m, ':scheme': _s, ':authority': _a, ...rest } = headers;
    stream.respond({ ':status': 200, said: encodeURIComponent(JSON.stringify(rest)), ...rest });
    stream.end();
  });
  const distinct = fc.uniqueArray(fc.tuple(name, value), { maxLength: 12, selector: ([one]) => one });
  await fc.assert(
    fc.asyncProperty(distinct, async pairs => {
      const { fields } = await ask(client, { path: '/', more: pairs.flat() });
      const { said, date: _date, ...echoed } = fields;
      const expected = Object.fromEntries(pairs);
      assert.deepEqual(JSON.parse(decodeURIComponent(said as string)), expected);
      assert.deepEqual({ ...echoed }, expected);
    }),
    { numRuns: 1_000 },
  );
});
