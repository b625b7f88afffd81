import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { createBus } from '../platform/bus.ts';
import { asAppError } from '../platform/errors.ts';
import { createLog } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics.ts';
import type { Principal } from '../terms/principal.ts';
import { createEvents } from './events.ts';

const WHO: Principal = {
  userId: 'usr_alice',
  email: null,
  name: null,
  groups: [],
  admin: false,
  proof: 'session',
  credentialId: 'ses_alice',
  grantId: null,
  scope: null,
};

/** A server with nothing but the stream; the test says who comes, what they are worth, and when the next turn is. */
async function ground(t: TestContext, { admin = false } = {}) {
  const bus = createBus();
  const metrics = createMetrics();
  const turns: (() => void)[] = [];
  const runtime = {
    now: () => 0,
    monotonic: () => 0,
    random: (bytes: number) => Buffer.alloc(bytes),
    sleep: (_: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        turns.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  };
  const worth = { now: { admin } as { admin: boolean } | null };
  /** What other processes have done since the last turn. */
  const deeds: { action: string; userId: string | null }[] = [];
  const events = createEvents({
    bus,
    standing: async () => worth.now,
    elsewhere: async () => ({ stored: deeds.length > 0, deeds: deeds.splice(0) }),
    open: metrics.gauge('open', ''),
    runtime,
    log: createLog({ level: 'silent' }),
  });
  const app = Fastify({ forceCloseConnections: true });
  app.addHook('onRequest', async request => {
    request.principal = { ...WHO, admin };
  });
  app.setErrorHandler((error, _, reply) => reply.code(asAppError(error).status).send());
  await app.register(events.routes);
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(async () => {
    await events[Symbol.asyncDispose]();
    await app.close();
  });

  async function connect() {
    const request = get({
      port: (app.server.address() as AddressInfo).port,
      path: '/api/v1/events',
      agent: false,
    });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    let text = '';
    response.on('data', chunk => (text += chunk));
    response.on('error', () => {});
    return {
      response,
      text: () => text,
      hangUp: () => request.destroy(),
      async until(wanted: RegExp) {
        while (!wanted.test(text)) await once(response, 'data');
      },
    };
  }
  const openStreams = async () => /^open (\d+)$/m.exec(await metrics.expose())?.[1];
  const everyTurn = () => {
    for (const turn of turns.splice(0)) turn();
  };
  return { bus, worth, deeds, events, connect, openStreams, everyTurn };
}

test('what is the reader’s own is named to them, and nothing of others', async t => {
  const { bus, connect } = await ground(t);
  const stream = await connect();
  assert.equal(stream.response.headers['content-type'], 'text/event-stream; charset=utf-8');
  bus.publish({ topic: 'key-created', userId: 'usr_bob' });
  bus.publish({ topic: 'session-begun', userId: 'usr_bob' });
  bus.publish({ topic: 'audit-stored' });
  bus.publish({ topic: 'grant-changed', grantId: 'grt_1', userId: 'usr_alice' });
  bus.publish({ topic: 'terminals-changed', userId: 'usr_bob' });
  bus.publish({ topic: 'terminals-changed', userId: 'usr_alice' });
  const access = (users: string[]) => [{ everyone: false, users, groups: [] }];
  bus.publish({ topic: 'tunnels-used', access: access(['usr_bob']) });
  bus.publish({ topic: 'upstream-turned', upstreamId: 'corp-llm' });
  bus.publish({ topic: 'tunnels-used', access: access(['usr_bob', 'usr_alice']) });
  await stream.until(/tunnels/);
  const topics = [...stream.text().matchAll(/event: change\ndata: \{"topic":"(\w+)"\}\n\n/g)].map(
    match => match[1],
  );
  assert.deepEqual(topics, ['grants', 'terminals', 'upstreams', 'tunnels']);
});

test('an admin is told of users and of the audit', async t => {
  const { bus, connect } = await ground(t, { admin: true });
  const stream = await connect();
  bus.publish({ topic: 'session-begun', userId: 'usr_bob' });
  bus.publish({ topic: 'audit-stored' });
  await stream.until(/"users"[\s\S]*"audit"/);
});

test('what another process did is named at the next turn, to whom it concerns', async t => {
  for (const [admin, wanted] of [
    [false, ['keys', 'sessions', 'grants']],
    [true, ['keys', 'sessions', 'users', 'grants', 'audit']],
  ] as const) {
    const { deeds, connect, everyTurn } = await ground(t, { admin });
    const stream = await connect();
    await stream.until(/retry/);
    const own = { userId: 'usr_alice' };
    for (const action of ['key.create', 'session.begin', 'grant.store']) deeds.push({ action, ...own });
    deeds.push({ action: 'key.revoke', userId: 'usr_bob' }, { action: 'invitation.create', userId: null });
    everyTurn();
    await stream.until(admin ? /audit/ : /grants/);
    const topics = [...stream.text().matchAll(/"topic":"(\w+)"/g)].map(match => match[1]);
    assert.deepEqual(topics, wanted);
  }
});

test('the end of the session ends its stream at once, and another session’s end does not', async t => {
  const { bus, connect, openStreams } = await ground(t);
  const stream = await connect();
  bus.publish({ topic: 'session-ended', sessionId: 'ses_other', userId: 'usr_alice' });
  await stream.until(/"sessions"/);
  assert.equal(await openStreams(), '1');
  bus.publish({ topic: 'session-ended', sessionId: 'ses_alice', userId: 'usr_alice' });
  await once(stream.response, 'end');
  assert.match(stream.text(), /event: end\ndata: \{\}\n\n$/);
  assert.equal(await openStreams(), '0');
});

test('a disabled user’s stream ends with the word of it', async t => {
  const { bus, worth, connect } = await ground(t);
  const stream = await connect();
  await stream.until(/retry/);
  worth.now = null;
  bus.publish({ topic: 'user-changed', userId: 'usr_alice' });
  await once(stream.response, 'end');
  assert.match(stream.text(), /event: end/);
});

test('what another process revoked is found at the next turn, and lines are kept alive by it', async t => {
  const { worth, connect, everyTurn } = await ground(t);
  const stream = await connect();
  await stream.until(/retry/);
  everyTurn();
  await stream.until(/^:\n\n/m);
  worth.now = null;
  everyTurn();
  await once(stream.response, 'end');
  assert.match(stream.text(), /event: end/);
});

test('who is an admin no more hears of users no more', async t => {
  const { bus, worth, connect, everyTurn } = await ground(t, { admin: true });
  const stream = await connect();
  await stream.until(/retry/);
  worth.now = { admin: false };
  everyTurn();
  await stream.until(/^:\n\n/m);
  bus.publish({ topic: 'audit-stored' });
  bus.publish({ topic: 'upstream-turned', upstreamId: 'x' });
  await stream.until(/upstreams/);
  assert.doesNotMatch(stream.text(), /audit/);
});

test('a window that is closed is forgotten, and one person cannot hold every socket', async t => {
  const { connect, openStreams } = await ground(t);
  const streams = await Promise.all(Array.from({ length: 30 }, () => connect()));
  assert.equal((await connect()).response.statusCode, 429);
  assert.equal(await openStreams(), '30');
  streams[0]!.hangUp();
  while ((await openStreams()) === '30') await new Promise(resolve => setImmediate(resolve));
  assert.equal((await connect()).response.statusCode, 200);
});

test('when the gateway ends, streams are hung up without a word of the session', async t => {
  const { events, connect } = await ground(t);
  const stream = await connect();
  await stream.until(/retry/);
  await events[Symbol.asyncDispose]();
  await once(stream.response, 'end');
  assert.doesNotMatch(stream.text(), /event: end/);
});
