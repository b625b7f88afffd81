import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelScan } from './model-scan.ts';

/** What the scan finds when the body comes in these pieces. */
function scan(...pieces: (string | Buffer)[]): string | null {
  const scanner = new ModelScan();
  for (const piece of pieces) scanner.push(Buffer.from(piece as string));
  return scanner.model;
}

const refuses = (body: string | Buffer, why: RegExp = /./) =>
  assert.throws(
    () => scan(body),
    (error: { code: string; message: string }) => error.code === 'bad_request' && why.test(error.message),
    String(body),
  );

const FOUND: [body: string, model: string | null][] = [
  ['{"model":"gpt"}', 'gpt'],
  [' \n{ "model" : "gpt" , "n": 1 }\n', 'gpt'],
  ['{"m\\u006fdel":"gpt"}', 'gpt'],
  ['{"\\u006d\\u006f\\u0064\\u0065\\u006c":"g\\u0070t"}', 'gpt'],
  ['{"model":"a\\"b\\\\"}', 'a"b\\'],
  ['{"model":"größe-😀"}', 'größe-😀'],
  ['{"messages":[{"role":"user","content":"my \\"model\\": \\\\"}],"model":"gpt","stream":true}', 'gpt'],
  ['{"metadata":{"model":"inner"},"tools":[{"model":"x"}],"model":"gpt"}', 'gpt'],
  ['{"metadata":{"model":"inner"}}', null],
  ['{"a":"model","b":["model","x"],"model":"gpt"}', 'gpt'],
  ['{"a":-1.5e+3,"b":true,"c":null,"d":[],"e":{},"model":"gpt"}', 'gpt'],
  ['{"a":1E5,"\\\\":"\\\\","":"","model":"gpt"}', 'gpt'],
  ['{}', null],
  ['{"input":"no name"}', null],
  ['{"model2":"x","mode":"y","amodel":"z"}', null],
];

test('the model is found wherever it stands, however it is written', () => {
  for (const [body, model] of FOUND) {
    assert.equal(scan(body), model, body);
    if (model !== null)
      assert.equal((JSON.parse(body) as { model: string }).model, model, 'and JSON.parse agrees');
  }
});

test('where the body is split makes no difference', () => {
  for (const [body, model] of FOUND) {
    const bytes = Buffer.from(body);
    for (let at = 1; at < bytes.length; at++) {
      assert.equal(scan(bytes.subarray(0, at), bytes.subarray(at)), model, `${body} at ${at}`);
    }
    assert.equal(scan(...Array.from(bytes, byte => Buffer.of(byte))), model, `${body} byte by byte`);
  }
});

test('a second model is refused, however it is written and however far back', () => {
  refuses('{"model":"a","model":"b"}', /twice/);
  refuses('{"model":"a","m\\u006fdel":"b"}', /twice/);
  refuses('{"model":"a","Model":"b"}', /twice/);
  refuses('{"MODEL":"a","model":"b"}', /twice/);
  refuses(`{"model":"a","input":"${'x'.repeat(2_000_000)}","model":"b"}`, /twice/);
});

test('what no strict parser would read is refused, since a lenient one might find another model in it', () => {
  for (const body of [
    '["model"]',
    '"model"',
    '1',
    'x',
    '\ufeff{"model":"a"}',
    '{"model":1}',
    '{"model":null}',
    '{"model":["a"]}',
    '{"model":{"a":1}}',
    '{"model":}',
    '{"model",}',
    '{model:"a"}',
    "{'model':'a'}",
    '{/*"*/"model":"a"}',
    '{"a":1}//',
    '{"a":1}{"model":"a"}',
    '{"a":1}]',
    ']',
    '{"model":"\\x"}',
    '{[1]:2}',
    `{"model":"${'a'.repeat(2_000)}"}`,
  ])
    refuses(body);
  refuses(Buffer.from('{"model":"a"}', 'utf16le'));
  refuses(Buffer.from('{"model":"a"}', 'utf16le').swap16());
});

test('any bytes at all are read to the end or refused, as JSON.parse would have it', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    ' ',
    'model',
    '"model"',
    '"a"',
    '1',
    'true',
    '\\u006d',
    '"m\\u006fdel":"b"',
  ];
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  let valid = 0;
  for (let n = 0; n < 200_000; n++) {
    const body = `{${Array.from({ length: random(9) }, () => pieces[random(pieces.length)]).join('')}}`;
    let parsed: { model?: unknown };
    try {
      parsed = JSON.parse(body) as { model?: unknown };
    } catch {
      continue;
    }
    valid += 1;
    let found: string | null;
    try {
      found = scan(body);
    } catch {
      continue;
    }
    assert.equal(found, parsed.model ?? null, body);
  }
  assert.ok(valid > 100);
});

test('5 MB of picture, and text full of escapes, cost milliseconds', () => {
  const picture = `{"messages":[{"image":"${'A'.repeat(5_000_000)}"}],"model":"gpt"}`;
  const code = `{"messages":[{"content":"${'\\n'.repeat(2_500_000)}"}],"model":"gpt"}`;
  const quotes = `{"messages":[{"content":"${'\\"'.repeat(1_000_000)}"}],"model":"gpt"}`;
  const backslashes = `{"messages":[{"content":"${'\\\\'.repeat(1_000_000)}"}],"model":"gpt"}`;
  for (const body of [picture, code, quotes, backslashes]) {
    const bytes = Buffer.from(body);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, n) =>
      bytes.subarray(n * 65_536, (n + 1) * 65_536),
    );
    const start = performance.now();
    assert.equal(scan(...pieces), 'gpt');
    assert.ok(performance.now() - start < 1_000);
  }
});
