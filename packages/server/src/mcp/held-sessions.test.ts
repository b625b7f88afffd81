import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Notice } from '../platform/bus.ts';
import { systemRuntime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { parseKey } from '../vault/keyring.ts';
import { createSealer } from '../vault/seal.ts';
import type { HeldBack } from './held-back.ts';
import { createHeldSessions } from './held-sessions.ts';
import { type Message, type Request, request, result } from './json-rpc.ts';
import type { Visit } from './mcp.ts';
import type { Refusal } from './refusal.ts';
import { createSessionIds } from './session-id.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const alice = { userId: 'alice', credentialId: 'key_1' } as Principal;
const wiki = { id: 'wiki', name: 'Wiki' } as Upstream;
const sealer = createSealer([parseKey('ab'.repeat(32), 'test')], systemRuntime);

/** One process after the other, with one key and one clock. */
function processes() {
  let ahead = 0;
  const runtime = {
    ...systemRuntime,
    now: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
  };
  const sessionIds = createSessionIds({ sealer, runtime });
  const begun: Request[] = [];

  function start(own = false) {
    let notify: (notice: Notice) => void = () => {};
    const back: HeldBack = {
      introduction: { capabilities: {}, serverInfo: undefined, instructions: undefined },
      call: ({ id }, call) => {
        call.response({ result: { of: id } });
        return () => {};
      },
      setLevel() {},
      subscribe: async () => ({ result: {} }),
      notify() {},
      close() {},
    };
    const sessions = createHeldSessions({
      sessionIds,
      hold: async (_visit, asked) => {
        begun.push(asked);
        return back;
      },
      hasOwn: () => own,
      runtime,
      bus: {
        subscribe(heard) {
          notify = heard;
          return () => {};
        },
      },
    });
    const answers: { status: number; message: Message | null; id: string | undefined }[] = [];
    const visit = {
      principal: alice,
      upstream: wiki,
      request: { headers: [] },
      call: { headers: {} },
      mayCall: null,
      answer: () => ({
        over: false,
        streaming: false,
        stream() {},
        end() {},
        json: (status: number, message: Message | null, headers: Record<string, string> = {}) =>
          void answers.push({ status, message, id: headers['mcp-session-id'] }),
      }),
    } as unknown as Visit;
    const ticketOf = (id: string) => sessionIds.open(id, alice, wiki);
    return {
      sessions,
      notify: (keyId: string) => notify({ topic: 'key-revoked', keyId, userId: 'alice' }),
      async initialize(clientInfo: object = { name: 'c', version: '1' }): Promise<string> {
        const capabilities = { elicitation: {} };
        const params = { protocolVersion: '2025-06-18', capabilities, clientInfo };
        await sessions.initialize(visit, request(1, 'initialize', params));
        return answers.pop()!.id!;
      },
      async use(id: string): Promise<unknown> {
        try {
          await sessions.post(visit, ticketOf(id), request(7, 'tools/list', {}), null);
          return answers.pop()!.message;
        } catch (error) {
          return (error as Refusal).status;
        }
      },
      end: (id: string) => sessions.end(visit, ticketOf(id)),
    };
  }
  return { start, begun, pass: (ms: number) => (ahead += ms) };
}

const answered = result(7, { of: 7 });

test('a session is taken up by another process with what its client said, once for all who ask at once', async () => {
  const { start, begun } = processes();
  const id = await start().initialize();
  const next = start();
  assert.deepEqual(await Promise.all([next.use(id), next.use(id)]), [answered, answered]);
  assert.equal(begun.length, 2);
  assert.deepEqual(begun[1]!.params, {
    capabilities: { elicitation: {} },
    clientInfo: { name: 'c', version: '1' },
  });
});

test('one that was ended, that nobody used for half an hour, whose key was revoked, or that is a week old, is over', async () => {
  const { start, pass } = processes();
  const here = start();
  const ended = await here.initialize();
  here.end(ended);
  assert.equal(await here.use(ended), 404);

  const idle = await here.initialize();
  pass(29 * MINUTE);
  here.sessions.sweep();
  assert.deepEqual(await here.use(idle), answered);
  pass(31 * MINUTE);
  here.sessions.sweep();
  assert.equal(await here.use(idle), 404);

  const revoked = await here.initialize();
  here.notify('key_1');
  assert.equal(await here.use(revoked), 404);

  const old = await here.initialize();
  pass(8 * DAY);
  assert.equal(await start().use(old), 404);
});

test('one that has something of its own at its server, or said more of itself than a header should hold, is over with its process', async () => {
  const { start } = processes();
  const own = await start(true).initialize();
  assert.equal(await start().use(own), 404);
  const long = await start().initialize({ name: 'x'.repeat(2_000), version: '1' });
  assert.equal(await start().use(long), 404);
  const shared = await start().initialize();
  assert.equal(await start(true).use(shared), 404, 'it is isolated by now');
});

test('of one person a hundred sessions are kept: the one that waits longest gives way to the next', async () => {
  const { start, pass } = processes();
  const here = start(true);
  const ids: string[] = [];
  for (let n = 0; n < 100; n++) {
    ids.push(await here.initialize());
    pass(1);
  }
  assert.deepEqual(await here.use(ids[0]!), answered, 'used again just now');
  pass(1);
  await here.initialize();
  assert.equal(await here.use(ids[1]!), 404);
  assert.deepEqual(await here.use(ids[0]!), answered);
  assert.deepEqual(await here.use(ids[2]!), answered);
});
