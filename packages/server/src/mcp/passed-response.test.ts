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
