import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { identityGround, request } from '../../test/fixtures/identity.ts';
import { createProxyHeader } from './proxy-header.ts';

const PROXY = '10.1.2.3';

async function withHeader(t: TestContext, name = 'X-User-Id') {
  const ground = await identityGround(t);
  const header = { name, from: ['10.0.0.0/8', '::1/128'] };
  const proxyHeader = createProxyHeader({ header, ...ground });
  const show = async (headers: Parameters<typeof request>[0], address = PROXY) =>
    proxyHeader.authenticate(request(headers, address));
  return { ...ground, proxyHeader, show };
}

test('the user whom a trusted proxy names is made at first sight and known from then on', async t => {
  const { show, users, events } = await withHeader(t);
  const first = await show({ 'X-User-Id': 'alice' });
  assert.deepEqual(
    [first?.proof, first?.name, first?.email, first?.admin],
    ['proxy-header', 'alice', null, false],
  );
  assert.equal((await show({ 'x-user-id': ' alice ' }, '::1'))?.userId, first?.userId);
  assert.equal(
    (await show({ 'X-User-Id': 'alice' }, `::ffff:${PROXY}`))?.userId,
    first?.userId,
    'IPv4 on an IPv6 socket',
  );
  assert.equal((await users.list()).length, 1);
  const { userId } = first!;
  assert.deepEqual(events, [
    { action: 'user.create', userId, credentialId: `proxy:${userId}`, address: PROXY, target: userId },
  ]);
});

test('an address is one user in any case, and joins the account that an operator made ahead', async t => {
  const { show, users } = await withHeader(t);
  const ahead = await users.create({ email: 'bob@corp.example', name: null });
  assert.equal((await show({ 'X-User-Id': 'Bob@corp.example' }))?.userId, ahead.id);
  assert.equal((await show({ 'X-User-Id': 'bob@CORP.example' }))?.userId, ahead.id);
});

test('an address never takes over somebody who signs in themselves', async t => {
  const { show, person } = await withHeader(t);
  const alice = await person('alice');
  assert.notEqual((await show({ 'X-User-Id': 'alice@corp.example' }))?.userId, alice.id);
});

test('from any other address the header is refused, and makes no user', async t => {
  const { show, users } = await withHeader(t);
  for (const address of ['203.0.113.7', '11.0.0.1', '::2', '::ffff:203.0.113.7', 'nonsense', '']) {
    await assert.rejects(show({ 'X-User-Id': 'alice' }, address), { code: 'unauthenticated' });
    // Where it claims to come from is only another header.
    await assert.rejects(show({ 'X-User-Id': 'alice', 'X-Forwarded-For': PROXY }, address), {
      code: 'unauthenticated',
    });
  }
  assert.deepEqual(await users.list(), []);
});

test('a connection without an address is not trusted', async t => {
  const { proxyHeader } = await withHeader(t);
  const nowhere = { ...request({ 'X-User-Id': 'alice' }), remoteAddress: undefined };
  assert.throws(() => proxyHeader.authenticate(nowhere), { code: 'unauthenticated' });
});

test('a header that is repeated, or joined by another hop, is refused', async t => {
  const { show, users } = await withHeader(t);
  const twice: [string, string][] = [
    ['X-User-Id', 'alice'],
    ['x-user-id', 'alice'],
  ];
  await assert.rejects(show(twice), { code: 'bad_request' });
  await assert.rejects(show({ 'X-User-Id': 'alice, root' }), { code: 'bad_request' });
  assert.deepEqual(await users.list(), []);
});

test('a header of which Node shows only the first is seen to be repeated', async t => {
  const { show } = await withHeader(t, 'From');
  await assert.rejects(
    show([
      ['From', 'alice@corp.example'],
      ['From', 'root@corp.example'],
    ]),
    { code: 'bad_request' },
  );
});

test('only the header of exactly that name counts: X_User_Id, X-User-Id- and XUserId do not', async t => {
  const { show } = await withHeader(t);
  for (const name of ['X_User_Id', 'x_user-id', 'X-User-Id-', 'XUserId', 'X-User']) {
    assert.equal(await show({ [name]: 'root' }), null);
    const principal = await show({ [name]: 'root', 'X-User-Id': 'alice' });
    assert.equal(principal?.name, 'alice');
  }
});

test('an empty, overlong or unprintable name is refused', async t => {
  const { show } = await withHeader(t);
  for (const value of ['', '   ', 'a'.repeat(256), 'al\u0000ice', 'al\tice', 'José']) {
    await assert.rejects(show({ 'X-User-Id': value }), { code: 'unauthenticated' });
  }
});

test('a user whom the header names is disabled at once, and not made anew', async t => {
  const { show, disable, users } = await withHeader(t);
  const principal = await show({ 'X-User-Id': 'alice' });
  await disable(principal!.userId);
  await assert.rejects(show({ 'X-User-Id': 'alice' }), { code: 'unauthenticated' });
  assert.equal((await users.list()).length, 1);
});

test('warm, the header is answered without a promise', async t => {
  const { show, proxyHeader } = await withHeader(t);
  const principal = await show({ 'X-User-Id': 'alice' });
  assert.equal(proxyHeader.authenticate(request({ 'X-User-Id': 'alice' }, PROXY)), principal);
});

test('last seen is written at most once a minute', async t => {
  const { show, users, runtime } = await withHeader(t);
  const { userId } = (await show({ 'X-User-Id': 'alice' }))!;
  const first = runtime.time;
  const seenAfter = async (milliseconds: number) => {
    runtime.time = first + milliseconds;
    await show({ 'X-User-Id': 'alice' });
    return (await users.get(userId))!.seenAt;
  };
  assert.equal(await seenAfter(50_000), first);
  assert.equal(await seenAfter(61_000), first + 61_000);
});
