import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../forward/outcome.ts';
import { createAccessLog } from './access-log.ts';

const outcome: Outcome = {
  principal: null,
  upstream: null,
  credential: null,
  result: 'refused',
  status: 401,
  method: 'POST',
  requestId: 'req_1',
  traceId: null,
  address: '127.0.0.1',
  took: 1.23456,
};

/** A log whose batch is due when `tick` is called. */
function logTo(write: (lines: string) => void) {
  let due: (() => void) | null = null;
  const log = createAccessLog({
    write,
    runtime: {
      now: () => 1_000,
      sleep: () =>
        new Promise(resolve => {
          due = resolve;
        }),
    },
  });
  return {
    log,
    async tick() {
      due?.();
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}

test('calls are written together, one line of JSON each', async () => {
  const batches: string[] = [];
  const { log, tick } = logTo(lines => batches.push(lines));
  log.record(outcome);
  log.record({ ...outcome, requestId: 'req_2' });
  assert.equal(batches.length, 0);
  await tick();
  assert.equal(batches.length, 1);
  const lines = batches[0]!
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(lines[0], {
    level: 30,
    time: 1_000,
    msg: 'call',
    requestId: 'req_1',
    method: 'POST',
    status: 401,
    result: 'refused',
    upstream: null,
    user: null,
    ms: 1.23,
  });
  assert.equal(lines[1]!['requestId'], 'req_2');
  log.record(outcome);
  log[Symbol.dispose]();
  assert.equal(batches.length, 2, 'what waits is written at the end');
});

test('a call that belongs to a trace names it', () => {
  const batches: string[] = [];
  const { log } = logTo(lines => batches.push(lines));
  log.record({ ...outcome, traceId: '4bf92f3577b34da6a3ce929d0e0e4736' });
  log[Symbol.dispose]();
  assert.equal((JSON.parse(batches[0]!) as { traceId: string }).traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
});

test('a long batch does not wait', () => {
  const batches: string[] = [];
  const { log } = logTo(lines => batches.push(lines));
  for (let n = 0; n < 1_000; n++) log.record(outcome);
  assert.ok(batches.length >= 1);
});

test('a log that cannot be written costs its lines, not the process, and says so later', async () => {
  let full = true;
  let written = '';
  const { log, tick } = logTo(lines => {
    if (full) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
    written += lines;
  });
  log.record(outcome);
  await tick();
  full = false;
  log.record({ ...outcome, requestId: 'req_2' });
  await tick();
  const [loss, call] = written.trimEnd().split('\n');
  assert.deepEqual(
    [(JSON.parse(loss!) as { level: number }).level, (JSON.parse(call!) as { requestId: string }).requestId],
    [40, 'req_2'],
  );
});
