import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { Notice } from '../src/platform/bus.ts';
import { AppError } from '../src/platform/errors.ts';
import { eventually, startDataPlane, token, upstream } from './fixtures/data-plane.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** An upstream whose answers begin and do not end. */
async function planeOfStreams(t: TestContext) {
  const real = await startUpstream();
  t.after(() => real.close());
  real.intercept = (req, res) => {
    if (req.url === '/silent') return true;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    return true;
  };
  const plane = await startDataPlane(t, { upstreams: [upstream('up', real.url, { kind: 'http' })] });
  const stream = async (headers: Record<string, string>) => {
    const req = get(`${plane.url}/u/up/events`, { headers, agent: false });
    req.on('error', () => {});
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    const ended = new Promise(resolve => res.on('close', resolve));
    let failed: unknown = null;
    res.on('error', error => {
      failed = error;
    });
    await once(res, 'data');
    return { ended, failed: () => failed };
  };
  return { ...plane, real, stream };
}

const bearer = (who: string) => ({ authorization: `Bearer ${who}` });

test('a stream whose key, session or user is taken back breaks off at once, upstream too', async t => {
  const { stream, real, bus, disabled, outcomes } = await planeOfStreams(t);
  for (const [notice, headers] of [
    [{ topic: 'key-revoked', keyId: 'key_alice', userId: 'alice' }, bearer('alice')],
    [{ topic: 'session-ended', sessionId: 'key_alice', userId: 'alice' }, { cookie: 'session=alice' }],
    [{ topic: 'user-changed', userId: 'alice' }, bearer('alice')],
  ] as [Notice, Record<string, string>][]) {
    const { ended, failed } = await stream(headers);
    disabled.add('alice');
    bus.publish(notice);
    await ended;
    assert.ok(failed(), 'an error, not an end');
    await eventually(() => real.busy === 0);
    assert.deepEqual([outcomes.at(-1)!.result, outcomes.at(-1)!.status], ['refused', 200]);
    disabled.clear();
  }
});

test('the streams of an upstream that is removed, or that their caller may use no more, break off; others go on', async t => {
  const { stream, real, bus, known } = await planeOfStreams(t);
  const [alice, bob] = [await stream(bearer('alice')), await stream(bearer('bob'))];
  const before = known.get('up')!;
  known.set('up', { ...before, access: { everyone: false, users: ['bob'], groups: [] } });
  bus.publish({ topic: 'upstream-changed', upstreamId: 'up' });
  await alice.ended;
  assert.ok(alice.failed(), 'an error, not an end');
  await eventually(() => real.busy === 1);
  known.delete('up');
  bus.publish({ topic: 'upstream-changed', upstreamId: 'other' });
  for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve));
  assert.equal(real.busy, 1);
  bus.publish({ topic: 'upstream-changed', upstreamId: 'up' });
  await bob.ended;
  await eventually(() => real.busy === 0);
});

test('a call whose upstream is removed while its credential is fetched is not sent', async t => {
  const { url, real, known, vault } = await planeOfStreams(t);
  const asked = Promise.withResolvers<void>();
  const given = Promise.withResolvers<null>();
  vault.credentialFor = () => {
    asked.resolve();
    return given.promise;
  };
  const answer = fetch(`${url}/u/up/x`, { headers: bearer('alice') });
  await asked.promise;
  known.delete('up');
  given.resolve(null);
  assert.equal((await answer).status, 404);
  assert.equal(real.requests.length, 0);
});

test('the streams of others, and of a user who may still call, go on', async t => {
  const { stream, real, bus, disabled } = await planeOfStreams(t);
  await stream(bearer('bob'));
  await stream(bearer('carol'));
  const { ended } = await stream(bearer('alice'));
  disabled.add('alice').add('carol');
  bus.publish({ topic: 'key-revoked', keyId: 'key_alice', userId: 'alice' });
  bus.publish({ topic: 'user-changed', userId: 'bob' });
  bus.publish({ topic: 'grant-changed', grantId: 'grt_bob', userId: 'bob' });
  await ended;
  await eventually(() => real.busy === 2);
});

test('a call that has no answer yet is refused with why', async t => {
  const { url, real, bus, disabled, outcomes } = await planeOfStreams(t);
  const answer = fetch(`${url}/u/up/silent`, { headers: bearer('alice') });
  await eventually(() => real.busy === 1);
  disabled.add('alice');
  bus.publish({ topic: 'user-changed', userId: 'alice' });
  const res = await answer;
  assert.deepEqual([res.status, ((await res.json()) as { code: string }).code], [401, 'unauthenticated']);
  await eventually(() => real.busy === 0);
  assert.deepEqual(
    outcomes.map(outcome => [outcome.result, outcome.status]),
    [['refused', 401]],
  );
});

test('a call whose token is being renewed when its user is disabled is not sent again', async t => {
  const { url, real, bus, disabled, vault } = await planeOfStreams(t);
  real.intercept = (req, res) => {
    if (req.headers.authorization === `Bearer ${token('alice', 2)}`) return false;
    res.writeHead(401).end();
    return true;
  };
  const renewing = Promise.withResolvers<void>();
  const renewed = Promise.withResolvers<void>();
  const { renew } = vault;
  vault.renew = async (...about) => {
    renewing.resolve();
    await renewed.promise;
    return renew(...about);
  };
  const req = request(`${url}/u/up/x`, { method: 'POST', headers: bearer('alice') }).end('hello');
  await renewing.promise;
  disabled.add('alice');
  bus.publish({ topic: 'user-changed', userId: 'alice' });
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.resume();
  renewed.resolve();
  await once(res, 'end');
  for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual([res.statusCode, real.requests.length], [401, 1]);
});

test('a call whose user is disabled between its two sendings is not sent again', async t => {
  const { url, real, bus, disabled, renewals } = await planeOfStreams(t);
  real.intercept = (_req, res) => {
    res.writeHead(401).end();
    return true;
  };
  const req = request(`${url}/u/up/x`, {
    method: 'POST',
    headers: { ...bearer('alice'), 'content-length': 100_000 },
  });
  req.write(Buffer.alloc(70_000));
  // Renewed, and waiting for the rest of the body.
  await eventually(() => renewals.length === 1 && real.busy === 0);
  disabled.add('alice');
  bus.publish({ topic: 'user-changed', userId: 'alice' });
  req.end(Buffer.alloc(30_000));
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.resume();
  assert.deepEqual([res.statusCode, real.requests.length], [401, 1]);
});

test('calls that are over are looked at no more', async t => {
  const { url, real, bus, disabled } = await planeOfStreams(t);
  real.intercept = null;
  for (let n = 0; n < 3; n++) await (await fetch(`${url}/u/up/x`, { headers: bearer('alice') })).text();
  let looks = 0;
  disabled.has = () => {
    looks += 1;
    return false;
  };
  bus.publish({ topic: 'user-changed', userId: 'alice' });
  assert.equal(looks, 0);
});

test('a database that is away when the news comes ends nothing', async t => {
  const { stream, real, bus, disabled } = await planeOfStreams(t);
  await stream(bearer('alice'));
  disabled.has = () => {
    throw new AppError('unavailable', 'The database does not answer.');
  };
  bus.publish({ topic: 'user-changed', userId: 'alice' });
  for (let n = 0; n < 20; n++) await new Promise(resolve => setImmediate(resolve));
  assert.equal(real.busy, 1);
});
