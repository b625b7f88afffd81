import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createPasswordHashing } from '../src/identity/password-hash.ts';
import { systemRuntime } from '../src/platform/runtime.ts';
import { DAY, secretOf, startAccounts } from './fixtures/accounts.ts';
import { createBrowser } from './fixtures/browser.ts';
import { providerConfig } from './fixtures/gateway.ts';
import { postgresUrl } from './fixtures/postgres.ts';
import { startProvider } from './fixtures/provider.ts';

const PASSWORD = 'four quiet green owls';
const OTHER = 'seven loud blue herons';
const accept = (secret: string, more: object = {}) => ({ secret, password: PASSWORD, ...more });

for (const dialect of ['sqlite', 'postgres']) {
  const storeOf = async (t: TestContext) => {
    if (dialect === 'sqlite') return {};
    const store = await postgresUrl(t);
    return store === null ? null : { store };
  };

  test(`${dialect}: an invited person chooses a password, is in with what the invitation says, and signs in again by it`, async t => {
    const store = await storeOf(t);
    if (store === null) return;
    const { client, invite, admin, auditOf } = await startAccounts(t, store);
    const secret = await invite('Bo@Corp.example', { name: 'Bo', groups: ['ops', 'ops', 'eng'] });
    const bo = client();
    const opened = await bo.send('POST', '/api/v1/invitations/open', { secret });
    assert.deepEqual(
      [opened.body.email, opened.body.name, opened.body.purpose],
      ['bo@corp.example', 'Bo', 'account'],
    );
    assert.equal((await bo.send('POST', '/api/v1/invitations/accept', accept(secret))).status, 204);
    const { user } = (await bo.send('GET', '/api/v1/me')).body;
    assert.deepEqual(
      [user.email, user.name, user.groups, user.admin, user.local],
      ['bo@corp.example', 'Bo', ['ops', 'eng'], false, true],
    );
    const again = client();
    assert.equal((await again.signIn('BO@corp.example', PASSWORD)).status, 204);
    assert.equal(await again.me(), 'bo@corp.example');
    const begun = (await auditOf('session.begin')).filter(
      (event: { user_id: string }) => event.user_id === user.id,
    );
    assert.deepEqual(
      begun.map((event: { detail: { how: string } }) => event.detail.how),
      ['password', 'invitation'],
    );
    assert.deepEqual((await admin.send('GET', '/api/v1/invitations')).body.items, []);
  });

  test(`${dialect}: twenty who open one invitation at once make one account, and the others are told that it is gone`, async t => {
    const store = await storeOf(t);
    if (store === null) return;
    const { client, invite, admin } = await startAccounts(t, store);
    const secret = await invite('bo@corp.example');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client().send('POST', '/api/v1/invitations/accept', accept(secret))),
    );
    assert.equal(answers.filter(({ status }) => status === 204).length, 1);
    assert.ok(answers.every(({ status }) => [204, 410, 503].includes(status)));
    assert.equal((await admin.send('GET', '/api/v1/users')).body.items.length, 2);
  });
}

test('a link that is spent, replaced, withdrawn, run out, of an admin no more, or never was, says the same and makes nothing', async t => {
  const { client, invite, admin, runtime, member } = await startAccounts(t);
  const spent = await invite('a@corp.example');
  await client().send('POST', '/api/v1/invitations/accept', accept(spent));
  const replaced = await invite('b@corp.example');
  const current = await invite('b@corp.example');
  const withdrawn = await admin.send('POST', '/api/v1/invitations', { email: 'c@corp.example' });
  assert.equal((await admin.send('DELETE', `/api/v1/invitations/${withdrawn.body.id}`)).status, 204);
  const other = await member('root@corp.example', PASSWORD, { admin: true });
  const orphan = await other.send('POST', '/api/v1/invitations', { email: 'd@corp.example', admin: true });
  const { user } = (await other.send('GET', '/api/v1/me')).body;
  await admin.send('PATCH', `/api/v1/users/${user.id}`, { admin: false });
  const disabled = await member('ops@corp.example', PASSWORD, { admin: true });
  const shut = await disabled.send('POST', '/api/v1/invitations', { email: 'e@corp.example' });
  const { id: disabledId } = (await disabled.send('GET', '/api/v1/me')).body.user;
  await admin.send('PATCH', `/api/v1/users/${disabledId}`, { disabled: true });
  const foreign = 'A'.repeat(43);
  const users = (await admin.send('GET', '/api/v1/users')).body.items.length;

  const told = new Set<string>();
  for (const secret of [
    spent,
    replaced,
    secretOf(withdrawn.body.link),
    secretOf(orphan.body.link),
    secretOf(shut.body.link),
    foreign,
  ]) {
    for (const what of ['open', 'accept']) {
      const body = what === 'open' ? { secret } : accept(secret);
      const answer = await client().send('POST', `/api/v1/invitations/${what}`, body);
      assert.equal(answer.status, 410, what);
      told.add(answer.body.detail);
      assert.equal(answer.headers.getSetCookie().length, 0);
    }
  }
  assert.equal(told.size, 1);
  runtime.ahead = 7 * DAY - 60_000;
  assert.equal((await client().send('POST', '/api/v1/invitations/open', { secret: current })).status, 200);
  runtime.ahead = 7 * DAY + 1_000;
  assert.equal((await client().send('POST', '/api/v1/invitations/accept', accept(current))).status, 410);
  runtime.ahead = 0;
  assert.equal((await admin.send('GET', '/api/v1/users')).body.items.length, users);
});

test('a weak password spends no invitation', async t => {
  const { client, invite } = await startAccounts(t);
  const secret = await invite('bo.hansen@corp.example');
  for (const password of ['short', 'bo.hansen@corp.example', 'x'.repeat(1_001)])
    assert.equal(
      (await client().send('POST', '/api/v1/invitations/accept', accept(secret, { password }))).status,
      400,
    );
  assert.equal((await client().send('POST', '/api/v1/invitations/accept', accept(secret))).status, 204);
});

test('who has no account, a wrong password, or is disabled hears the same words, and no cookie is set', async t => {
  const { client, member, admin, auditOf } = await startAccounts(t);
  await member('bo@corp.example', PASSWORD);
  const gone = await member('gone@corp.example', PASSWORD);
  const { user } = (await gone.send('GET', '/api/v1/me')).body;
  await admin.send('PATCH', `/api/v1/users/${user.id}`, { disabled: true });
  const said = new Set<string>();
  for (const [email, password] of [
    ['nobody@corp.example', PASSWORD],
    ['bo@corp.example', OTHER],
    ['gone@corp.example', PASSWORD],
    ['gone@corp.example', OTHER],
    ["' or 1=1 --@x", PASSWORD],
  ] as const) {
    const { status, headers, body } = await client().signIn(email, password);
    const { instance: _, ...words } = body;
    said.add(JSON.stringify([status, headers.getSetCookie(), headers.get('www-authenticate'), words]));
  }
  assert.equal(said.size, 1, [...said].join('\n'));
  assert.equal(JSON.parse([...said][0]!)[0], 401);
  const refused = await auditOf('sign-in.refused');
  assert.deepEqual(refused.map((event: { detail: { reason: string } }) => event.detail.reason).sort(), [
    'password',
    'password',
    'password',
    'password',
    'user_disabled',
  ]);
  assert.ok(!JSON.stringify(refused).includes('nobody@corp.example'), 'what was typed is not kept');
});

test('an account is tried only so often from one address, whether there is one or not, and 429 says when to come back', async t => {
  const { client, member, runtime } = await startAccounts(t, {
    rateLimits: { password: { account: '3/30s' } },
    trustedProxies: ['127.0.0.0/8', '::1'],
  });
  await member('bo@corp.example', PASSWORD);
  const from = (address: string) => ({ 'x-forwarded-for': address });
  for (const email of ['bo@corp.example', 'nobody@corp.example']) {
    for (let n = 0; n < 3; n++)
      assert.equal((await client().signIn(email, OTHER, from('203.0.113.7'))).status, 401);
    // The right password is no way to find out either.
    const refused = await client().signIn(email.toUpperCase(), PASSWORD, from('203.0.113.7'));
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '10');
    assert.equal(refused.body.code, 'rate_limited');
  }
  // The person themselves, elsewhere, is not locked out by it.
  assert.equal((await client().signIn('bo@corp.example', PASSWORD, from('198.51.100.9'))).status, 204);
  // Many addresses together are held back as well.
  const many = [];
  for (let n = 0; n < 16; n++)
    many.push((await client().signIn('bo@corp.example', OTHER, from(`192.0.2.${n}`))).status);
  assert.equal(many.at(-1), 429);
  runtime.waited += 30_000;
  assert.equal((await client().signIn('bo@corp.example', PASSWORD, from('203.0.113.7'))).status, 204);
});

test('one address tries only so many accounts', async t => {
  const { client } = await startAccounts(t, { rateLimits: { password: { address: '4/1m' } } });
  const statuses = [];
  for (let n = 0; n < 5; n++) statuses.push((await client().signIn(`user${n}@corp.example`, OTHER)).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 429]);
});

test('a session that somebody planted is not the one that a sign-in continues', async t => {
  const { client, member } = await startAccounts(t);
  await member('bo@corp.example', PASSWORD);
  const attacker = await member('eve@corp.example', OTHER);
  const planted = attacker.cookie!;
  const victim = client();
  victim.cookie = planted;
  assert.equal((await victim.signIn('bo@corp.example', PASSWORD)).status, 204);
  assert.notEqual(victim.cookie, planted);
  assert.equal(await victim.me(), 'bo@corp.example');
  assert.equal(await attacker.me(), null, 'and the planted one is over');
  const invented = client();
  invented.cookie = `oauth_session_id=${'A'.repeat(43)}`;
  await invented.signIn('bo@corp.example', PASSWORD);
  assert.notEqual(invented.cookie, `oauth_session_id=${'A'.repeat(43)}`);
});

test('another site signs nobody in: not by a form, not by a script, not as another type', async t => {
  const { url, client, member, invite } = await startAccounts(t);
  await member('eve@corp.example', PASSWORD);
  const secret = await invite('mallory@corp.example');
  const json = (more: Record<string, string>) => ({ 'content-type': 'application/json', ...more });
  const credentials = { email: 'eve@corp.example', password: PASSWORD };
  const form = new URLSearchParams(credentials).toString();
  const text = JSON.stringify(credentials);
  const cross = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  for (const [body, headers] of [
    [text, json(cross)],
    [text, json({ origin: 'https://evil.example' })],
    [text, json({ origin: 'null' })],
    [text, json({ 'sec-fetch-site': 'same-site' })],
    [form, { 'content-type': 'application/x-www-form-urlencoded', ...cross }],
    [form, { 'content-type': 'application/x-www-form-urlencoded' }],
    [text, { 'content-type': 'text/plain' }],
    [text, { 'content-type': 'text/plain', origin: url }],
  ] as [string, Record<string, string>][]) {
    const answer = await client().send('POST', '/auth/local', body, headers);
    assert.ok([400, 403].includes(answer.status), `${answer.status} ${JSON.stringify(headers)}`);
    assert.equal(answer.headers.getSetCookie().length, 0);
  }
  for (const path of ['/api/v1/invitations/open', '/api/v1/invitations/accept'])
    assert.equal((await client().send('POST', path, accept(secret), cross)).body.code, 'csrf');
  const own = { origin: url, 'sec-fetch-site': 'same-origin' };
  assert.equal((await client().send('POST', '/auth/local', text, json(own))).status, 204);
});

test('no password and no secret of a link is in the log, the audit, an answer, or a file', async t => {
  const { client, invite, member, admin, logged, directory } = await startAccounts(t);
  const answers: string[] = [];
  const secret = await invite('bo@corp.example');
  const bo = client();
  const send = async (...args: Parameters<typeof bo.send>) => {
    const answer = await bo.send(...args);
    answers.push(JSON.stringify([answer.body, [...answer.headers]]));
  };
  await send('POST', '/api/v1/invitations/open', { secret });
  await send('POST', '/api/v1/invitations/accept', accept(secret, { surplus: PASSWORD }));
  await send('POST', '/api/v1/invitations/accept', accept(secret));
  await send('POST', '/auth/local', { email: 'bo@corp.example', password: OTHER });
  await send('POST', '/auth/local', `{"email":"bo@corp.example","password":"${PASSWORD}`, {
    'content-type': 'application/json',
  });
  await send('POST', '/auth/local', { email: 'bo@corp.example', password: PASSWORD });
  await send('PUT', '/api/v1/password', { password: OTHER, current_password: PASSWORD });
  await member('cy@corp.example', PASSWORD);
  const audit = (await admin.send('GET', '/api/v1/audit/export')).body;
  const files = readdirSync(directory).map(name => readFileSync(join(directory, name)).toString('latin1'));
  for (const canary of [PASSWORD, OTHER, secret])
    for (const text of [...answers, logged.join(), JSON.stringify(audit), ...files])
      assert.ok(!text.includes(canary));
});

test('a changed password needs the one before it, and ends every other session', async t => {
  const { client, member } = await startAccounts(t);
  const bo = await member('bo@corp.example', PASSWORD);
  const elsewhere = client();
  await elsewhere.signIn('bo@corp.example', PASSWORD);
  const change = (current_password?: string, password = OTHER) =>
    bo.send('PUT', '/api/v1/password', { password, ...(current_password ? { current_password } : {}) });
  assert.deepEqual([(await change()).status, (await change(OTHER)).status], [403, 403]);
  assert.equal((await change(PASSWORD, 'bo@corp.example')).status, 400);
  assert.equal(await elsewhere.me(), 'bo@corp.example');
  assert.equal((await change(PASSWORD)).status, 204);
  assert.deepEqual([await bo.me(), await elsewhere.me()], ['bo@corp.example', null]);
  assert.equal((await client().signIn('bo@corp.example', PASSWORD)).status, 401);
  assert.equal((await client().signIn('bo@corp.example', OTHER)).status, 204);
});

test('a hash of another cost is one of today’s after the next sign-in', async t => {
  const { app, client, member } = await startAccounts(t);
  await member('bo@corp.example', PASSWORD);
  const { db } = app.database;
  const older = createPasswordHashing({
    runtime: systemRuntime,
    cost: { memory: 64, passes: 1, parallelism: 1 },
  });
  const stored = async () =>
    (await db.selectFrom('local_accounts').selectAll().executeTakeFirstOrThrow()).password_hash;
  await db
    .updateTable('local_accounts')
    .set({ password_hash: await older.hash(PASSWORD) })
    .execute();
  assert.equal((await client().signIn('bo@corp.example', OTHER)).status, 401);
  assert.match(await stored(), /\$m=64,/);
  assert.equal((await client().signIn('bo@corp.example', PASSWORD)).status, 204);
  assert.match(await stored(), /\$m=47104,/);
  assert.equal((await client().signIn('bo@corp.example', PASSWORD)).status, 204);
});

test('a key neither sets a password nor invites, be it an admin’s', async t => {
  const { client, admin, member } = await startAccounts(t);
  const { body } = await admin.send('POST', '/api/v1/keys', { name: 'k', admin: true });
  await member('bo@corp.example', PASSWORD);
  const users = (await admin.send('GET', '/api/v1/users')).body.items;
  const bo = users.find((user: { email: string }) => user.email === 'bo@corp.example');
  const authorization = { authorization: `Bearer ${body.key}` };
  for (const [method, path, sent] of [
    ['PUT', '/api/v1/password', { password: OTHER, email: 'eve@corp.example' }],
    ['POST', '/api/v1/invitations', { email: 'eve@corp.example', admin: true }],
    ['POST', `/api/v1/users/${bo.id}/password-link`, undefined],
  ] as const)
    assert.equal((await client().send(method, path, sent, authorization)).status, 403, path);
});

test('who is no admin neither invites, nor lists, withdraws or resets', async t => {
  const { admin, member, client } = await startAccounts(t);
  const bo = await member('bo@corp.example', PASSWORD);
  const { id } = (await bo.send('GET', '/api/v1/me')).body.user;
  const open = await admin.send('POST', '/api/v1/invitations', { email: 'cy@corp.example' });
  for (const [method, path, body] of [
    ['POST', '/api/v1/invitations', { email: 'eve@corp.example' }],
    ['GET', '/api/v1/invitations', undefined],
    ['DELETE', `/api/v1/invitations/${open.body.id}`, undefined],
    ['POST', `/api/v1/users/${id}/password-link`, undefined],
  ] as const) {
    assert.equal((await bo.send(method, path, body)).status, 403, path);
    assert.equal((await client().send(method, path, body)).status, 401, path);
  }
});

test('a link to a new password works for a day, once, and signs the person out everywhere', async t => {
  const { client, member, admin, runtime } = await startAccounts(t);
  const bo = await member('bo@corp.example', PASSWORD);
  const { id } = (await bo.send('GET', '/api/v1/me')).body.user;
  const minted = () =>
    admin.send('POST', `/api/v1/users/${id}/password-link`).then(({ body }) => secretOf(body.link));
  const late = await minted();
  runtime.ahead = DAY + 1_000;
  assert.equal((await client().send('POST', '/api/v1/invitations/open', { secret: late })).status, 410);
  runtime.ahead = 0;
  const [first, second] = [await minted(), await minted()];
  assert.equal((await client().send('POST', '/api/v1/invitations/open', { secret: first })).status, 410);
  const opened = await client().send('POST', '/api/v1/invitations/open', { secret: second });
  assert.equal(opened.body.purpose, 'password');
  assert.deepEqual((await admin.send('GET', '/api/v1/invitations')).body.items, [], 'it is no invitation');
  const fresh = client();
  assert.equal(
    (await fresh.send('POST', '/api/v1/invitations/accept', accept(second, { password: OTHER }))).status,
    204,
  );
  assert.deepEqual([await fresh.me(), await bo.me()], ['bo@corp.example', null]);
  assert.equal((await fresh.send('POST', '/api/v1/invitations/accept', accept(second))).status, 410);
  assert.equal((await client().signIn('bo@corp.example', PASSWORD)).status, 401);

  const stale = await minted();
  await fresh.send('PUT', '/api/v1/password', { password: PASSWORD, current_password: OTHER });
  assert.equal((await fresh.send('POST', '/api/v1/invitations/open', { secret: stale })).status, 410);
  const forDisabled = await minted();
  await admin.send('PATCH', `/api/v1/users/${id}`, { disabled: true });
  assert.equal((await client().send('POST', '/api/v1/invitations/accept', accept(forDisabled))).status, 410);
  assert.equal((await admin.send('POST', `/api/v1/users/${id}/password-link`)).status, 409);
});

test('the first admin sets a password with an address of theirs, and comes back by it', async t => {
  const { client, admin, member } = await startAccounts(t);
  assert.deepEqual((await admin.send('GET', '/api/v1/password')).body, {
    may_have: true,
    email: null,
    changed_at: null,
  });
  await member('bo@corp.example', PASSWORD);
  const set = (body: object) => admin.send('PUT', '/api/v1/password', { password: PASSWORD, ...body });
  assert.equal((await set({})).status, 400);
  assert.equal((await set({ email: 'bo@corp.example' })).status, 409);
  assert.equal((await set({ email: 'root@corp.example' })).status, 204);
  const again = client();
  assert.equal((await again.signIn('root@corp.example', PASSWORD)).status, 204);
  assert.equal((await again.send('GET', '/api/v1/me')).body.user.admin, true);
  assert.equal(
    (await set({ email: 'other@corp.example' })).status,
    403,
    'the second time it takes the first one',
  );
});

test('an address that a person of a provider has is never an account here as well, and the other way round', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const house = await startAccounts(t, { providers: [providerConfig(provider)], localAccounts: true });
  const { url, admin, client, invite } = house;
  const alice = createBrowser();
  const early = await invite('alice@corp.example', { admin: true });
  await provider.signIn(alice, `${url}/auth/corp/login`);
  // Invited before, come by the provider meanwhile: the link makes no second way in, and is not spent.
  const late = await client().send('POST', '/api/v1/invitations/accept', accept(early));
  assert.equal(late.status, 409);
  assert.equal(
    (await admin.send('POST', '/api/v1/invitations', { email: 'ALICE@corp.example' })).status,
    409,
  );
  const mine = JSON.parse((await alice.get(`${url}/api/v1/me`)).text).user;
  assert.deepEqual([mine.admin, mine.local], [false, false]);
  const cookie = { cookie: `oauth_session_id=${alice.cookie(url, 'oauth_session_id')}` };
  const set = await client().send(
    'PUT',
    '/api/v1/password',
    { password: PASSWORD, email: 'x@corp.example' },
    cookie,
  );
  assert.equal(set.status, 409);

  // A local account is not joined by a provider's person of the same, verified, address.
  await house.member('bob@corp.example', PASSWORD);
  provider.account = 'bob';
  const bob = createBrowser();
  await provider.signIn(bob, `${url}/auth/corp/login`);
  const users = (await admin.send('GET', '/api/v1/users')).body.items;
  const bobs = users.filter((user: { email: string }) => user.email === 'bob@corp.example');
  assert.deepEqual(bobs.map((user: { local: boolean }) => user.local).sort(), [false, true]);
});

test('an admin changes the groups of a local account, at once, and not those that a provider tells', async t => {
  const { admin, app, member } = await startAccounts(t);
  const bo = await member('bo@corp.example', PASSWORD, { groups: ['ops'] });
  const me = async () => (await bo.send('GET', '/api/v1/me')).body.user;
  const { id } = await me();
  const set = (whom: string, groups: unknown) => admin.send('PATCH', `/api/v1/users/${whom}`, { groups });
  assert.equal((await set(id, ['eng', ' eng ', 'sales'])).status, 200);
  assert.deepEqual((await me()).groups, ['eng', 'sales']);
  assert.deepEqual([(await set(id, [''])).status, (await set(id, 'eng')).status], [400, 400]);
  assert.equal((await bo.send('PATCH', `/api/v1/users/${id}`, { groups: ['root'] })).status, 403);
  const person = {
    issuer: 'https://login.corp.example',
    subject: 'a',
    email: null,
    emailVerified: false,
    name: 'A',
  };
  const alice = await app.identity.users.recognize(person);
  assert.equal((await set(alice.id, ['root'])).status, 409);
});

test('an account that was made ahead is joined by the invitation to its address', async t => {
  const { app, member } = await startAccounts(t);
  const ahead = await app.identity.users.create({ email: 'bo@corp.example', name: null });
  const bo = await member('bo@corp.example', PASSWORD, { groups: ['ops'] });
  const { user } = (await bo.send('GET', '/api/v1/me')).body;
  assert.deepEqual([user.id, user.groups], [ahead.id, ['ops']]);
});

test('where a provider is configured there are local accounts only when the operator says so', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const { client, admin } = await startAccounts(t, { providers: [providerConfig(provider)] });
  assert.equal((await client().send('GET', '/api/v1/sign-in-options')).body.local_accounts, false);
  assert.deepEqual((await admin.send('GET', '/api/v1/me')).body.gateway.local_accounts, false);
  for (const [method, path] of [
    ['POST', '/auth/local'],
    ['GET', '/api/v1/invitations'],
    ['POST', '/api/v1/invitations/accept'],
    ['GET', '/api/v1/password'],
  ] as const)
    assert.equal((await admin.send(method, path)).status, 404, path);
});

test('names, addresses and groups that are markup stay text, and what is no address is refused', async t => {
  const { admin, client, member } = await startAccounts(t);
  const XSS = '<img/src=x/onerror=alert(1)>';
  const eve = await member(`${XSS}@corp.example`, PASSWORD, { name: XSS, groups: [XSS] });
  const answer = await eve.send('GET', '/api/v1/me');
  assert.deepEqual([answer.body.user.name, answer.body.user.groups], [XSS, [XSS]]);
  assert.match(answer.headers.get('content-type')!, /^application\/json/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  for (const email of ['', 'nobody', 'a b@c', 'a@b@c', `${'a'.repeat(320)}@b`])
    assert.equal((await admin.send('POST', '/api/v1/invitations', { email })).status, 400, email);
  assert.equal((await client().signIn('a'.repeat(400), PASSWORD)).status, 400);
});
