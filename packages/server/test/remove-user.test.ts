import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAccounts } from './fixtures/accounts.ts';
import { createBrowser } from './fixtures/browser.ts';
import { providerConfig } from './fixtures/gateway.ts';
import { startProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const PASSWORD = 'four quiet green owls';

test('with a removed person go their sessions, keys, grants (also at the provider), links and open streams', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  // Its answers begin and do not end.
  upstream.intercept = (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    return true;
  };
  const house = await startAccounts(t, {
    localAccounts: true,
    providers: [providerConfig(provider, { admins: { claim: 'groups', has: 'engineering' } })],
    upstreams: [
      {
        id: 'llm',
        kind: 'openai',
        url: `${upstream.url}/v1`,
        credential: { use: 'sign-in' },
        access: { everyone: true },
      },
    ],
  });
  const { url, admin, client } = house;
  const browser = createBrowser();
  await provider.signIn(browser, `${url}/auth/corp/login`);
  const alice = client();
  alice.cookie = `oauth_session_id=${browser.cookie(url, 'oauth_session_id')}`;
  const { user } = (await alice.send('GET', '/api/v1/me')).body;
  const { key } = (await alice.send('POST', '/api/v1/keys', { name: 'laptop' })).body;
  const invited = await alice.send('POST', '/api/v1/invitations', { email: 'eve@corp.example', admin: true });
  const [, secret] = invited.body.link.split('#');

  const signal = AbortSignal.timeout(5_000);
  const events = await fetch(`${url}/api/v1/events`, { headers: { cookie: alice.cookie! }, signal });
  const call = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{"model":"m","messages":[],"stream":true}',
    signal,
  });
  assert.deepEqual([events.status, call.status], [200, 200]);

  assert.deepEqual((await admin.send('GET', `/api/v1/users/${user.id}/consequences`)).body, {
    sessions: 1,
    keys: 1,
    grants: 1,
    invitations: 1,
    terminals: 0,
    tunnels: 0,
  });
  assert.equal((await admin.send('DELETE', `/api/v1/users/${user.id}`)).status, 204);
  assert.match(await events.text(), /event: end/);
  await assert.rejects(call.text(), 'the stream is cut off, not ended as if it were whole');
  assert.equal(signal.aborted, false);
  assert.equal(provider.revocations, 1);

  assert.equal(await alice.me(), null);
  const withKey = await client().send('GET', '/api/v1/me', undefined, { authorization: `Bearer ${key}` });
  assert.equal(withKey.status, 401);
  const accepted = await client().send('POST', '/api/v1/invitations/accept', { secret, password: PASSWORD });
  assert.equal(accepted.status, 410);
  assert.equal((await admin.send('GET', `/api/v1/users/${user.id}/consequences`)).status, 404);
  assert.equal((await admin.send('DELETE', `/api/v1/users/${user.id}`)).status, 404);

  const [removed] = await house.auditOf('user.remove');
  assert.deepEqual([removed.target, removed.detail.email], [user.id, 'alice@corp.example']);
  const theirs = (await admin.send('GET', `/api/v1/audit?user=${user.id}`)).body.items;
  assert.ok(
    theirs.some((event: { action: string }) => event.action === 'key.create'),
    'what they did stays',
  );

  // The provider still knows them: whoever comes is somebody new, and nothing of the old is theirs.
  const again = createBrowser();
  await provider.signIn(again, `${url}/auth/corp/login`);
  const next = JSON.parse((await again.get(`${url}/api/v1/me`)).text).user;
  assert.notEqual(next.id, user.id);
  const cookie = { cookie: `oauth_session_id=${again.cookie(url, 'oauth_session_id')}` };
  assert.deepEqual((await client().send('GET', '/api/v1/keys', undefined, cookie)).body.items, []);
});

test('nobody removes themselves, whoever is no admin removes nobody, and a removed local account is gone', async t => {
  const { admin, client, member, invite } = await startAccounts(t);
  const bo = await member('bo@corp.example', PASSWORD);
  const idOf = async (who: typeof bo) => (await who.send('GET', '/api/v1/me')).body.user.id as string;
  const [rootId, boId] = [await idOf(admin), await idOf(bo)];
  assert.equal((await admin.send('DELETE', `/api/v1/users/${rootId}`)).status, 409);
  assert.equal((await bo.send('DELETE', `/api/v1/users/${rootId}`)).status, 403);
  assert.equal((await client().send('DELETE', `/api/v1/users/${rootId}`)).status, 401);
  const { key } = (await admin.send('POST', '/api/v1/keys', { name: 'k', admin: true })).body;
  const own = await client().send('DELETE', `/api/v1/users/${rootId}`, undefined, {
    authorization: `Bearer ${key}`,
  });
  assert.equal(own.status, 409, 'not by their own key either');
  const forged = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  assert.equal((await admin.send('DELETE', `/api/v1/users/${boId}`, undefined, forged)).status, 403);

  assert.equal((await admin.send('DELETE', `/api/v1/users/${boId}`)).status, 204);
  assert.equal((await client().signIn('bo@corp.example', PASSWORD)).status, 401);
  const secret = await invite('bo@corp.example');
  const anew = client();
  await anew.send('POST', '/api/v1/invitations/accept', { secret, password: PASSWORD });
  assert.notEqual(await idOf(anew), boId);
});
