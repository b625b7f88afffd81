import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from '../platform/runtime.ts';
import type { MessageLineEvents } from '../terms/message-line.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { createEras } from './eras.ts';
import { result } from './json-rpc.ts';
import { MODERN } from './protocol.ts';

const alice = { userId: 'alice' } as Principal;
const tunnel = { id: 'alice/files', credential: { use: 'none' } } as Upstream;

test('a tunnel that leads to a program and then to an address, or the reverse, is asked anew', async () => {
  let lines = true;
  const asked: string[] = [];
  const eras = createEras({
    back: {
      async ask() {
        asked.push('http');
        return { status: 400, headers: {}, messages: [] };
      },
    },
    inLines: () => lines,
    probeLine(_upstream: Upstream, events: MessageLineEvents) {
      asked.push('lines');
      queueMicrotask(() =>
        events.message(JSON.stringify(result('discover', { supportedVersions: [MODERN] }))),
      );
      return { send() {}, settled() {}, pause() {}, resume() {}, close() {} };
    },
    runtime: systemRuntime,
    // Nobody says that it changed: its agent is at another replica.
    bus: { subscribe: () => () => {} },
  });
  const program = { modern: true, legacy: false };
  const address = { modern: false, legacy: true };
  assert.deepEqual(await eras.of(alice, tunnel), program);
  assert.deepEqual(await eras.of(alice, tunnel), program);
  lines = false;
  assert.deepEqual(await eras.of(alice, tunnel), address);
  lines = true;
  assert.deepEqual(await eras.of(alice, tunnel), program);
  assert.deepEqual(asked, ['lines', 'http'], 'each was asked once');
  eras.doubt(alice, tunnel);
  await eras.of(alice, tunnel);
  lines = false;
  assert.deepEqual(await eras.of(alice, tunnel), address);
  assert.deepEqual(asked, ['lines', 'http', 'lines'], 'a doubt is about what is there');
});
