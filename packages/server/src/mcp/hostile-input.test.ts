import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawn, fc, INPUTS } from '../../test/fixtures/made-up.ts';
import { systemRuntime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { parseKey } from '../vault/keyring.ts';
import { createSealer } from '../vault/seal.ts';
import { asMessage, parseJson } from './json-rpc.ts';
import { checkModern, isModern } from './modern-request.ts';
import { isLegacyVersion, META, MODERN } from './protocol.ts';
import { readMessages } from './read-message.ts';
import { Refusal } from './refusal.ts';
import { createRequestStates } from './request-state.ts';
import { createSessionIds, openEventId, signEventId } from './session-id.ts';
import { type SseEvent, SseReader, sseText } from './sse.ts';
import { fits } from './tool-rules.ts';

const RUNS = { numRuns: INPUTS };
const sealer = createSealer([parseKey('ab'.repeat(32), 'test')], systemRuntime);
const who = (userId: string) => ({ userId }) as Principal;
const at = (id: string) => ({ id }) as Upstream;

/** Whatever it does, it refuses with one of our codes or returns. */
function holds(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    assert.ok([400, 404].includes(error.status), String(error.status));
  }
}

test('any body is read as messages or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json(), fc.uint8Array().map(String)),
      fc.boolean(),
      (text, batches) => {
        holds(() => readMessages(Buffer.from(text), batches));
      },
    ),
    RUNS,
  );
});

test('nearly right messages and headers are served or refused', () => {
  const word = fc.constantFrom(
    'tools/call',
    'tools/list',
    'x',
    '',
    MODERN,
    '2025-11-25',
    '=?base64?eA==?=',
    '=?base64?!?=',
  );
  const meta = drawn(
    fc.dictionary(
      fc.constantFrom(...Object.values(META), 'progressToken', META.version.toUpperCase()),
      fc.oneof(word, fc.object()),
    ),
  );
  const object = drawn(fc.object());
  const id = drawn(fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.double()));
  const message = fc.record(
    {
      jsonrpc: fc.constantFrom('2.0', '1.0'),
      id,
      method: word,
      params: fc.record(
        { name: fc.oneof(word, fc.integer()), _meta: fc.oneof(meta, fc.constant(null)) },
        { requiredKeys: [] },
      ),
      result: fc.oneof(object, fc.constant(null)),
      error: object,
    },
    { requiredKeys: ['jsonrpc'] },
  );
  const headers = fc.record(
    { 'mcp-protocol-version': word, 'mcp-method': word, 'mcp-name': word },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(message, headers, (value, given) => {
      const read = asMessage(value);
      if (read === null) return;
      holds(() => {
        if (isModern(given, read, isLegacyVersion)) checkModern(given, read);
      });
    }),
    RUNS,
  );
});

test('events are the same however their bytes are cut', () => {
  const line = drawn(
    fc.string({ unit: 'grapheme', maxLength: 20 }).map(text => text.replace(/[\r\n\0]/g, '')),
  );
  const event = fc.record({
    id: line.filter(id => id !== ''),
    data: fc.array(line, { minLength: 1, maxLength: 3 }).map(lines => lines.join('\n')),
  });
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 5 }),
      fc.array(fc.nat(200)),
      fc.constantFrom('\n', '\r\n', '\r'),
      (events, cuts, newline) => {
        const bytes = Buffer.from(events.map(sseText).join('').replaceAll('\n', newline));
        const seen: SseEvent[] = [];
        const reader = new SseReader(one => void seen.push(one));
        let from = 0;
        for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
          reader.push(bytes.subarray(from, Math.max(from, cut)));
          from = Math.max(from, Math.min(cut, bytes.length));
        }
        assert.deepEqual(
          seen.map(({ id, data }) => ({ id, data })),
          events.map(one => ({ ...one })),
        );
      },
    ),
    RUNS,
  );
});

test('any bytes are read as events without a fault', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), chunks => {
      const reader = new SseReader(({ data }) => void asMessage(parseJson(data)));
      for (const chunk of chunks) reader.push(Buffer.from(chunk));
    }),
    RUNS,
  );
});

test('a session id, an event id or a requestState that was tampered with, or is made up, does not exist', () => {
  const ids = createSessionIds({ sealer, runtime: systemRuntime });
  const states = createRequestStates({ sealer, runtime: systemRuntime });
  const sealed = ids.mint(who('alice'), at('wiki'), 'pass', 'theirs');
  const ticket = ids.open(sealed, who('alice'), at('wiki'));
  assert.equal(openEventId(ticket, signEventId(ticket, 'e1')), 'e1');
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } } as const;
  const state = states.seal(who('alice'), at('wiki'), call, 'call_1', 0);
  const reopen = (requestState: unknown, user = 'alice', upstream = 'wiki') =>
    states.open(who(user), at(upstream), { ...call, params: { ...call.params, requestState } });
  assert.equal(reopen(state).call, 'call_1');
  const gone = (act: () => unknown) => assert.throws(act, (error: Refusal) => error.status === 404);
  const mangled = (text: string) =>
    fc.oneof(
      fc.string(),
      fc
        .tuple(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }))
        .map(([place, by]) => text.slice(0, place) + by + text.slice(place + 1)),
      fc.nat(text.length - 1).map(length => text.slice(0, length)),
    );
  fc.assert(
    fc.property(mangled(sealed), mangled(state), mangled(signEventId(ticket, 'e1')), (id, other, event) => {
      const same = (one: string, right: string) =>
        Buffer.from(one.split('.').at(-1)!, 'base64url').equals(
          Buffer.from(right.split('.').at(-1)!, 'base64url'),
        );
      if (!same(id, sealed)) gone(() => ids.open(id, who('alice'), at('wiki')));
      if (!same(other, state)) gone(() => reopen(other));
      if (event !== signEventId(ticket, 'e1')) gone(() => openEventId(ticket, event));
    }),
    // Three in each.
    { numRuns: Math.ceil(INPUTS / 3) },
  );
  gone(() => ids.open(sealed, who('bob'), at('wiki')));
  gone(() => ids.open(sealed, who('alice'), at('other')));
  gone(() => ids.open(state, who('alice'), at('wiki')));
  gone(() => reopen(sealed));
  gone(() => reopen(state, 'bob'));
  gone(() => reopen(state, 'alice', 'other'));
});

test('a glob says the same as the pattern it stands for', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  fc.assert(
    fc.property(
      text,
      text.map(name => name.replaceAll('*', 'c')),
      (glob, name) => {
        assert.equal(fits(glob, name), new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(name));
      },
    ),
    RUNS,
  );
});
