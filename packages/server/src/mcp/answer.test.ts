import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Flow, ResponseReceiver } from '../terms/transport.ts';
import { Answer } from './answer.ts';

/** A client that writes down what it gets, and a clock that goes on when it is told to. */
function listening() {
  const got: string[] = [];
  let flow!: Flow;
  const receiver: ResponseReceiver = {
    begin: given => {
      flow = given;
      return true;
    },
    head: () => void got.push('head'),
    data: chunk => void got.push(chunk.toString()),
    end: () => void got.push('end'),
    error: () => void got.push('error'),
  };
  const waits: { ms: number; pass: () => void }[] = [];
  const runtime = {
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const wait = { ms, pass: resolve };
        waits.push(wait);
        signal?.addEventListener('abort', () => {
          waits.splice(waits.indexOf(wait), 1);
          reject(signal.reason as Error);
        });
      }),
  };
  const pass = async () => {
    for (const wait of waits.splice(0)) wait.pass();
    await setImmediate();
  };
  return { got, receiver, runtime, waits, pass, flow: () => flow };
}

test('a stream that is silent says every fifteen seconds that it is there, and nothing after its end', async () => {
  const { got, receiver, runtime, waits, pass } = listening();
  const answer = new Answer(receiver, runtime);
  assert.equal(waits.length, 0, 'what is no stream needs none');
  answer.stream();
  assert.deepEqual(
    waits.map(({ ms }) => ms),
    [15_000],
  );
  await pass();
  await pass();
  assert.deepEqual(got, ['head', ': keep-alive\n\n', ': keep-alive\n\n']);
  answer.end();
  await setImmediate();
  assert.equal(waits.length, 0);
  await pass();
  assert.deepEqual(got.slice(3), ['end']);
});

test('for a client that went nothing is kept alive', async () => {
  const { got, receiver, runtime, waits, pass, flow } = listening();
  let gone = 0;
  const answer = new Answer(receiver, runtime, () => void gone++);
  answer.stream();
  flow().abort(new Error('went'));
  await pass();
  assert.deepEqual([got, gone, waits.length, answer.over], [['head'], 1, 0, true]);
});
