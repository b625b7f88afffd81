import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResponseReceiver } from '../terms/transport.ts';
import { PassedResponse } from './passed-response.ts';

/** What a client gets of a stream whose events have other ids for it. */
function passing(...pieces: string[]): string {
  let got = '';
  const receiver: ResponseReceiver = {
    begin: () => true,
    head() {},
    data(chunk) {
      got += chunk;
    },
    end() {},
    error() {},
  };
  const passed = new PassedResponse(receiver, { eventId: id => `ours-${id}` });
  passed.begin({ pause() {}, resume() {}, abort() {} });
  passed.head(200, { 'content-type': 'text/event-stream' });
  for (const piece of pieces) passed.data(Buffer.from(piece));
  passed.end({});
  return got;
}

test('what keeps a silent stream alive reaches the client, where events are changed too', () => {
  assert.equal(passing(': ping\n', '\n: ping\n\n'), ': ping\n\n: ping\n\n');
});

test('a comment within an event, or cut in two, does the event no harm', () => {
  assert.equal(passing('id: 1\n: pi', 'ng\ndata: {}\n', '\n:\n'), ': ping\n\nid: ours-1\ndata: {}\n\n:\n\n');
});

const ASKING = '{"result":{"resultType":"input_required","requestState":"s"}}';

/** What a client gets of a JSON body, and of one event, where answers that ask back are marked. */
function asking(type: string, ...pieces: string[]): { text: string; length: unknown } {
  let text = '';
  let length: unknown;
  const receiver: ResponseReceiver = {
    begin: () => true,
    head: (_status, headers) => {
      length = headers['content-length'];
    },
    data(chunk) {
      text += chunk;
    },
    end() {},
    error() {},
  };
  const passed = new PassedResponse(receiver, { asks: () => ({ marked: true }) });
  passed.begin({ pause() {}, resume() {}, abort() {} });
  passed.head(200, { 'content-type': type, 'content-length': String(pieces.join('').length) });
  for (const piece of pieces) passed.data(Buffer.from(piece));
  passed.end({});
  return { text, length };
}

test('an answer that asks back is changed however it is cut, and its length with it; any other passes as it is', () => {
  const changed = { text: '{"marked":true}', length: '15' };
  assert.deepEqual(asking('application/json', ASKING), changed);
  assert.deepEqual(asking('application/json', ASKING.slice(0, 30), ASKING.slice(30)), changed);
  const odd = '{ "result" : { "content":[] } }';
  assert.deepEqual(asking('application/json', odd), { text: odd, length: String(odd.length) });
  assert.equal(asking('text/event-stream', `data: ${ASKING}\n\n`).text, 'data: {"marked":true}\n\n');
  const bytes = `: ping\n\ndata: ${odd}\n\n`;
  for (let cut = 1; cut < bytes.length; cut++)
    assert.equal(asking('text/event-stream', bytes.slice(0, cut), bytes.slice(cut)).text, bytes);
  const both = `${bytes}data: ${ASKING}\n\n`;
  for (let cut = 1; cut < both.length; cut++)
    assert.equal(
      asking('text/event-stream', both.slice(0, cut), both.slice(cut)).text,
      `${bytes}data: {"marked":true}\n\n`,
    );
});
