import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { postgresUrl } from '../../test/fixtures/postgres.ts';
import { createBus, type Notice } from '../platform/bus.ts';
import { openDatabase, type StoreUrl } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { type AuditEvent, commandLine } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { createAdminLinkStore } from './admin-link-store.ts';
import { createCookie, sessionCookie } from './session-cookie.ts';
import { createSessionStore } from './session-store.ts';
import { createSessions } from './sessions.ts';
import { createSignInStore } from './sign-in-store.ts';
import { createUserStore } from './user-store.ts';

const MINUTE = 60_000;
const PROVIDER = '198.51.100.9';
const LIMITS = { idle: 30 * MINUTE, absolute: 120 * MINUTE };
const NONE = {
  grantId: null,
  provider: 'corp',
  providerSid: null,
  subject: null,
  address: '203.0.113.7',
  userAgent: 'x'.repeat(1_000),
};

async function ground(t: TestContext, store: StoreUrl = { dialect: 'sqlite', path: ':memory:' }) {
  const runtime = {
    time: 1_800_000_000_000,
    now: () => runtime.time,
    random: (bytes: number) => randomBytes(bytes),
  };
  const database = openDatabase(store, runtime);
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  const { db } = database;
  const bus = createBus();
  const notices: Notice[] = [];
  bus.subscribe(notice => void notices.push(notice));
  const events: AuditEvent[] = [];
  const audit = { record: (event: AuditEvent) => void events.push(event) };
  const users = createUserStore(db, runtime);
  const cookie = sessionCookie(new URL('http://localhost:8080'));
  const make = () =>
    createSessions({ store: createSessionStore(db, LIMITS), cookie, limits: LIMITS, bus, audit, runtime });
  const sessions = make();
  const user = await users.recognize({
    issuer: 'i',
    subject: 's',
    email: 'a@corp.example',
    emailVerified: true,
    name: 'A',
    groups: ['g'],
    admin: true,
  });
  const begin = async (more = {}) => {
    const { id, setCookie } = await sessions.begin({ ...NONE, how: 'provider', userId: user.id, ...more });
    return { id, setCookie, cookies: setCookie.split(';')[0]! };
  };
  return { runtime, db, bus, notices, events, users, user, sessions, begin, make };
}

test('a session is its user, with the groups and admin flag of now', async t => {
  const { sessions, user, begin, users, bus } = await ground(t);
  const { id, cookies } = await begin();
  const principal = (await sessions.lookup(cookies))!;
  assert.deepEqual(
    [
      principal.userId,
      principal.groups,
      principal.admin,
      principal.proof,
      principal.credentialId,
      principal.scope,
    ],
    [user.id, ['g'], true, 'session', id, null],
  );
  assert.ok(Object.isFrozen(principal));
  await users.recognize({
    issuer: 'i',
    subject: 's',
    email: null,
    emailVerified: false,
    name: null,
    groups: [],
    admin: false,
  });
  bus.publish({ topic: 'user-changed', userId: user.id });
  const changed = (await sessions.lookup(cookies))!;
  assert.deepEqual([changed.groups, changed.admin], [[], false]);
});

test('a second look-up within five seconds is synchronous and one after that reads again', async t => {
  const { sessions, begin, runtime } = await ground(t);
  const { cookies } = await begin();
  await sessions.lookup(cookies);
  assert.ok(!(sessions.lookup(cookies) instanceof Promise));
  runtime.time += 5_001;
  const cold = sessions.lookup(cookies);
  assert.ok(cold instanceof Promise);
  assert.ok(await cold);
});

test('no cookie of ours is undefined, one that is none of our making is null', async t => {
  const { sessions, begin } = await ground(t);
  const { cookies } = await begin();
  assert.equal(sessions.lookup(undefined), undefined);
  assert.equal(sessions.lookup('other=1; xoauth_session_id=2'), undefined);
  assert.equal(sessions.lookup('oauth_session_id=short'), null);
  assert.equal(await sessions.lookup(`oauth_session_id=${'A'.repeat(43)}`), null);
  assert.ok(await sessions.lookup(`a=b;  ${cookies} ; c=d`));
});

test('an ended session is refused at once, also while a look-up is on its way', async t => {
  const { sessions, begin, notices, user } = await ground(t);
  const { id, cookies } = await begin();
  await sessions.lookup(cookies);
  const racing = sessions.end(id, commandLine);
  await sessions.lookup(cookies);
  assert.equal(await racing, true);
  assert.equal(await sessions.lookup(cookies), null);
  const userId = user.id;
  assert.deepEqual(notices, [
    { topic: 'session-begun', userId },
    { topic: 'session-ended', sessionId: id, userId },
  ]);
  assert.equal(await sessions.end(id, commandLine), false);
});

test('a session that another replica ended is refused within five seconds without any word', async t => {
  const { sessions, begin, runtime, db } = await ground(t);
  const { cookies } = await begin();
  await sessions.lookup(cookies);
  await db.deleteFrom('sessions').execute();
  runtime.time += 5_000;
  assert.equal(await sessions.lookup(cookies), null);
});

test('a session ends after the idle limit, use keeps it, and the absolute limit ends it in any case', async t => {
  const { sessions, begin, runtime, events, user } = await ground(t);
  const idle = await begin();
  const used = await begin();
  for (let minutes = 0; minutes < 110; minutes += 10) {
    runtime.time += 10 * MINUTE;
    assert.ok(await sessions.lookup(used.cookies), `after ${minutes + 10} minutes`);
  }
  assert.equal(await sessions.lookup(idle.cookies), null);
  runtime.time += 10 * MINUTE;
  assert.equal(await sessions.lookup(used.cookies), null);
  assert.equal(await sessions.purge(), 2);
  const ends = events.filter(event => event.action === 'session.end');
  assert.deepEqual(ends.map(event => event.target).sort(), [idle.id, used.id].sort());
  assert.ok(ends.every(event => event.userId === user.id && event.detail?.['why'] === 'expired'));
});

test('a disabled user has no session', async t => {
  const { sessions, begin, users, user, bus } = await ground(t);
  const { cookies } = await begin();
  await sessions.lookup(cookies);
  await users.setDisabled(user.id, true);
  bus.publish({ topic: 'user-changed', userId: user.id });
  assert.equal(await sessions.lookup(cookies), null);
});

test('use is written down at most once a minute', async t => {
  const { sessions, begin, runtime, user } = await ground(t);
  const { cookies } = await begin();
  const seen = async () => (await sessions.list(user.id))[0]!.seenAt - 1_800_000_000_000;
  for (const [at, expected] of [
    [30_000, 0],
    [59_000, 0],
    [65_000, 65_000],
    [100_000, 65_000],
    [130_000, 130_000],
  ] as const) {
    runtime.time = 1_800_000_000_000 + at;
    await sessions.lookup(cookies);
    assert.equal(await seen(), expected);
  }
});

test('the list shows live sessions without anything that grants, and user agents cut short', async t => {
  const { sessions, begin, user, db } = await ground(t);
  const { id, cookies } = await begin();
  const [listed] = await sessions.list(user.id);
  assert.equal(listed!.id, id);
  assert.equal(listed!.userAgent!.length, 255);
  const everything = JSON.stringify([listed, await db.selectFrom('sessions').selectAll().execute()]);
  assert.ok(!everything.includes(cookies.split('=')[1]!));
});

test('the cookie is HttpOnly, Lax, host-only and under 100 bytes; __Host- and Secure on https', () => {
  const line = sessionCookie(new URL('https://gateway.example')).set('v'.repeat(43), 1_500);
  assert.equal(
    line,
    `__Host-oauth_session_id=${'v'.repeat(43)}; Max-Age=1; Path=/; HttpOnly; SameSite=Lax; Secure`,
  );
  assert.ok(line.split(';')[0]!.length < 100);
  const plain = createCookie('c', new URL('http://localhost:1'));
  assert.equal(plain.set('v', 0), 'c=v; Max-Age=0; Path=/; HttpOnly; SameSite=Lax');
  assert.equal(plain.read(`__Host-c=${'v'.repeat(43)}`), undefined);
  assert.match(plain.clear(), /^c=; Max-Age=0/);
});

for (const dialect of ['sqlite', 'postgres'] as const) {
  const place = async (t: TestContext): Promise<StoreUrl | null> => {
    if (dialect === 'sqlite') return { dialect, path: ':memory:' };
    const url = await postgresUrl(t);
    return url === null ? null : { dialect, url };
  };

  test(`${dialect}: sessions begin, are found, and end by user, provider session and subject`, async t => {
    const store = await place(t);
    if (store === null) return;
    const { sessions, begin, user, events } = await ground(t, store);
    const one = await begin({ providerSid: 'sid-1', subject: 's' });
    const two = await begin({ providerSid: 'sid-2', subject: 's' });
    assert.equal(((await sessions.lookup(one.cookies)) as Principal).credentialId, one.id);
    const soon = Date.now() + 1e12;
    const named = { provider: 'corp', sid: 'sid-1', subject: null };
    assert.deepEqual(await sessions.endOfProvider({ ...named, begunBy: 1 }, PROVIDER), []);
    assert.deepEqual(
      await sessions.endOfProvider({ ...named, provider: 'other', begunBy: soon }, PROVIDER),
      [],
    );
    assert.equal((await sessions.endOfProvider({ ...named, begunBy: soon }, PROVIDER))[0]!.id, one.id);
    assert.deepEqual(
      (await sessions.list(user.id)).map(session => session.id),
      [two.id],
    );
    assert.equal(
      (await sessions.endOfProvider({ provider: 'corp', sid: null, subject: 's', begunBy: soon }, PROVIDER))
        .length,
      1,
    );
    assert.deepEqual(
      await sessions.endOfProvider({ provider: 'corp', sid: null, subject: null, begunBy: soon }, PROVIDER),
      [],
    );
    const three = await begin();
    await sessions.endAllOf(user.id, commandLine, 'user-disabled');
    assert.equal(await sessions.lookup(three.cookies), null);
    assert.equal(
      await sessions.endOfCookies((await begin()).cookies, commandLine).then(ended => ended?.userId),
      user.id,
    );
    assert.equal(await sessions.purge(), 0);
    const ends = events.filter(event => event.action === 'session.end');
    assert.deepEqual(
      ends.map(({ target, credentialId, address, detail }) => [
        target,
        credentialId,
        address,
        detail?.['why'],
      ]),
      [
        [one.id, null, PROVIDER, 'provider'],
        [two.id, null, PROVIDER, 'provider'],
        [three.id, 'command-line', null, 'user-disabled'],
        [ends.at(-1)!.target, 'command-line', null, 'replaced'],
      ],
    );
    assert.equal(events.filter(event => event.action === 'session.begin').length, 4);
    assert.ok(ends.every(event => event.detail?.['user'] === user.id));
  });

  test(`${dialect}: of fifty that take one sign-in, and of fifty that use one admin link, one gets it`, async t => {
    const store = await place(t);
    if (store === null) return;
    const { db } = await ground(t, store);
    const signIns = createSignInStore(db);
    await signIns.start({ stateHash: 'h', provider: 'corp', browserHash: 'b', envelope: 'e' }, MINUTE);
    assert.equal(
      await signIns.keepAnswer({ stateHash: 'h', provider: 'other', answerHash: 'a', envelope: 'x' }),
      false,
    );
    assert.equal(
      await signIns.keepAnswer({ stateHash: 'h', provider: 'corp', answerHash: 'a', envelope: 'x' }),
      true,
    );
    assert.equal(await signIns.whyNot({ stateHash: 'h' }, 'corp'), 'other_browser');
    const taken = await Promise.all(
      Array.from({ length: 50 }, () => signIns.take({ answerHash: 'a' }, 'corp', 'b')),
    );
    assert.deepEqual(taken.filter(Boolean), [{ stateHash: 'h', envelope: 'e', answer: 'x' }]);
    assert.equal(await signIns.purge(), 0);
    const links = createAdminLinkStore(db);
    await links.replace('old', MINUTE);
    await links.replace('new', MINUTE);
    assert.equal(await links.use('old'), false);
    const used = await Promise.all(Array.from({ length: 50 }, () => links.use('new')));
    assert.equal(used.filter(Boolean).length, 1);
  });
}
