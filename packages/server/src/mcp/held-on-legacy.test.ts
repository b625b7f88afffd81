import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from '../platform/runtime.ts';
import { holdOnLegacy } from './held-on-legacy.ts';
import { isRequest, type Message, notification, request, result } from './json-rpc.ts';
import { LegacyBack } from './legacy-back.ts';
import type { LinkListener } from './link.ts';

/** A program that several people share: it answers nothing by itself but `initialize`. */
async function sharedProgram() {
  const sent: Message[] = [];
  let heard!: LinkListener;
  const back = new LegacyBack(listener => {
    heard = listener;
    return { send: message => void sent.push(message), drop() {}, begun() {}, close() {} };
  }, systemRuntime);
  const begun = back.begin({});
  const capabilities = { tools: {}, tasks: { list: {} } };
  heard.message(result(1, { protocolVersion: '2025-11-25', capabilities, serverInfo: {} }), null);
  await begun;
  const hold = (owner: string) => {
    const strays: string[] = [];
    const errors: (number | undefined)[] = [];
    const held = holdOnLegacy(
      back,
      owner,
      { stray: ({ method }) => void strays.push(method), closed() {} },
      false,
      () => {},
    );
    const call = (method: string) =>
      held.call(request(1, method, { name: 'buy' }), {
        notification() {},
        ask: async () => ({ result: { action: 'accept' } }),
        response: ({ error }) => void errors.push(error?.code),
      });
    return { held, strays, errors, call };
  };
  return { sent, hold, says: (message: Message) => heard.message(message, null) };
}

test('that a page was visited is heard by who was sent there, once, and by nobody else', async () => {
  const { sent, hold, says } = await sharedProgram();
  const alice = hold('alice');
  const bob = hold('bob');
  alice.call('tools/call');
  const { id } = sent.filter(isRequest).at(-1)!;
  const elicitations = [{ mode: 'url', elicitationId: 'e1', url: 'https://pay.example', message: 'Pay.' }];
  says({ jsonrpc: '2.0', id, error: { code: -32042, message: 'Pay first.', data: { elicitations } } });
  assert.deepEqual(alice.errors, [-32042]);
  for (let n = 0; n < 2; n++)
    says(notification('notifications/elicitation/complete', { elicitationId: 'e1' }));
  assert.deepEqual(alice.strays, ['notifications/elicitation/complete']);
  assert.deepEqual(bob.strays, []);

  bob.call('tools/call');
  says(request('q1', 'elicitation/create', { ...elicitations[0], elicitationId: 'e2' }));
  says(notification('notifications/elicitation/complete', { elicitationId: 'e2' }));
  assert.deepEqual([alice.strays.length, bob.strays.length], [1, 1]);
});

test('a program that several people share has no tasks, which it would tell to each of them', async () => {
  const { sent, hold } = await sharedProgram();
  const { held, errors, call } = hold('alice');
  assert.deepEqual(held.introduction.capabilities, { tools: {} });
  const before = sent.length;
  call('tasks/list');
  assert.deepEqual([errors, sent.length], [[-32601], before]);
});
