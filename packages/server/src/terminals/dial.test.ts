import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, principal, upstream } from '../../test/fixtures/data-plane.ts';
import { type Generation, startTerminalServer } from '../../test/fixtures/terminal-server.ts';
import { createWays } from '../forward/ways.ts';
import { createBus } from '../platform/bus.ts';
import type { Credential } from '../terms/credential.ts';
import { TERMINAL_RULES } from '../terms/upstream.ts';
import { Attachment } from './attachment.ts';
import type { Closing } from './closing.ts';
import { createServant } from './dial.ts';

/** A server, a shell there, and a vault whose tokens end. */
async function ground(t: TestContext, generation: Generation, attach: 'auto' | 'message' | 'query' = 'auto') {
  const server = await startTerminalServer(t, generation, { key: 'token-v1' });
  const to = upstream('box', server.url, { kind: 'terminal', terminal: { ...TERMINAL_RULES, attach } });
  const ways = createWays({
    configured: [to],
    upstreams: { list: () => [to] },
    bus: createBus(),
    embedded: () => assert.fail('none is embedded'),
  });
  t.after(() => ways[Symbol.asyncDispose]());
  const vault = {
    version: 1,
    renewed: 0,
    credentialFor: (): Credential => credential(vault.version),
    async renew() {
      vault.renewed += 1;
      vault.version += 1;
      return vault.version > 2 ? null : credential(vault.version);
    },
  };
  const credential = (version: number): Credential => ({
    header: 'authorization',
    value: `Bearer token-v${version}`,
    expiresAt: Number.POSITIVE_INFINITY,
    source: { grantId: 'grt_1', version },
  });
  const clock = { now: 0 };
  const servant = createServant({
    vault,
    socketTo: ways.socketTo,
    transportTo: ways.to,
    now: () => clock.now,
  });
  const who = principal('alice');
  const made = await fetch(`${server.url}/api/terminals`, {
    method: 'POST',
    headers: { authorization: 'Bearer token-v1', 'x-user-id': who.userId },
  });
  const { id } = (await made.json()) as { id: string };
  const asked = { principal: who, upstream: to, terminal: { id, sessionId: null, contextId: null } };
  const ended: Closing[] = [];
  let printed = '';
  const attachment = () => {
    const made = new Attachment(
      {
        dial: (refused, signal) => servant.attach(asked, refused, signal),
        output: bytes => void (printed += bytes),
        resized: () => {},
        behind: () => false,
        ended: closing => void ended.push(closing),
      },
      () => clock.now,
    );
    made.start();
    return made;
  };
  return { server, servant, vault, asked, attachment, ended, clock, printed: () => printed };
}

const tokensIn = (urls: readonly { url: string }[]) =>
  urls.map(({ url }) => new URL(url, 'http://x').searchParams.get('token'));

test('a token that a server does not take any more is renewed once, over WebSocket as over HTTP', async t => {
  for (const generation of ['open-terminal', 'orchestrator-0.2', 'orchestrator-0.0'] as const) {
    const { server, vault, attachment, ended } = await ground(t, generation);
    // From now on only the next token opens anything.
    server.alsoTakes.add('token-v2');
    server.takesKey = false;
    const held = attachment();
    await eventually(() => server.attachedWith.includes('token-v2'));
    assert.equal(vault.renewed, 1, generation);
    assert.deepEqual(ended, []);
    held.end({ code: 1000, reason: 'done' });
  }
});

test('where the next token is refused as well, that is the end, and no third is asked for', async t => {
  for (const generation of ['open-terminal', 'orchestrator-0.0'] as const) {
    const { server, vault, attachment, ended } = await ground(t, generation);
    server.takesKey = false;
    attachment();
    await eventually(() => ended.length === 1);
    assert.equal(ended[0]!.code, 4001);
    assert.equal(vault.renewed, 1, generation);
  }
});

test('how a server wants the token is remembered for an hour, and found out again when it changes', async t => {
  const { server, servant, asked, clock } = await ground(t, 'orchestrator-0.0');
  const open = async () => {
    const { stream } = await servant.attach(asked, false, new AbortController().signal);
    // Whoever leaves ends the shell.
    t.after(() => stream.destroy());
  };
  await open();
  await open();
  assert.deepEqual(tokensIn(server.handshakes), [null, 'token-v1', 'token-v1']);
  clock.now += 60 * 60_000 + 1;
  await open();
  assert.deepEqual(tokensIn(server.handshakes).slice(3), [null, 'token-v1']);
});

test('`attach: query` says it at once; `attach: message` never', async t => {
  const signal = new AbortController().signal;
  const query = await ground(t, 'orchestrator-0.0', 'query');
  (await query.servant.attach(query.asked, false, signal)).stream.destroy();
  assert.deepEqual(tokensIn(query.server.handshakes), ['token-v1']);
  const message = await ground(t, 'orchestrator-0.0', 'message');
  await assert.rejects(message.servant.attach(message.asked, false, signal), { code: 'unauthenticated' });
  assert.ok(tokensIn(message.server.handshakes).every(token => token === null));
});

test('one that nobody waits for is given up', async t => {
  const { servant, asked } = await ground(t, 'open-terminal');
  const over = new AbortController();
  over.abort();
  await assert.rejects(servant.attach(asked, false, over.signal));
});
