import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { asRead, filtered } from './filtered-http.ts';
import { createToolFilter } from './tool-filter.ts';

const LIST = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"},{"name":"write"}]}}';
const filter = createToolFilter({ tools: ['read'], deniedTools: [], paths: [] });

/** What comes out of an answer that comes in these pieces. */
async function passed(type: string, pieces: readonly string[]): Promise<string> {
  const response = Object.assign(new PassThrough(), { headers: { 'content-type': type } });
  for (const piece of pieces) response.write(piece);
  response.end();
  return (await Array.fromAsync(filtered(response as unknown as IncomingMessage, filter))).join('');
}

test('a list names only what may be called, however its event is cut and its lines end', async () => {
  for (const line of ['\n', '\r\n', '\r']) {
    const event = `event: message${line}data: ${LIST}${line}${line}: alive${line}${line}`;
    for (const pieces of [[event], [...event]]) {
      const out = await passed('text/event-stream', pieces);
      assert.match(out, /"name":"read"/, JSON.stringify(line));
      assert.ok(!out.includes('write'), JSON.stringify([line, pieces.length]));
    }
  }
});

test('data in several lines is one message', async () => {
  const at = LIST.indexOf('{"name":"read');
  const [half, rest] = [LIST.slice(0, at), LIST.slice(at)];
  const out = await passed('text/event-stream', [`data: ${half}\ndata: ${rest}\n\n`]);
  assert.ok(!out.includes('write'), out);
});

test('a body of JSON is looked at whole; an event that never ended is none', async () => {
  assert.ok(!(await passed('application/json', [LIST.slice(0, 20), LIST.slice(20)])).includes('write'));
  assert.equal(await passed('text/event-stream', [`data: ${LIST}\n`]), '');
});

test('what was read as plain UTF-8 is called nothing else', () => {
  const headers = asRead({
    'content-type': 'application/json; charset=utf-7',
    'content-encoding': 'br',
    'content-length': '9',
    accept: 'application/json',
  });
  assert.deepEqual(headers, {
    accept: 'application/json',
    'content-type': 'application/json',
    'accept-encoding': 'identity',
  });
});
