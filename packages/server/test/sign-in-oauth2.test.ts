import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Provider } from '../src/terms/provider.ts';
import { createBrowser } from './fixtures/browser.ts';
import { providerAt, signInGround } from './fixtures/sign-in.ts';

/** An OAuth 2 server that knows no OpenID, shaped like GitHub: errors with status 200, a numeric id, PKCE. */
async function startHub(t: TestContext, user: () => object, more: Partial<Provider> = {}) {
  const challenges: string[] = [];
  const hub = { authorizations: [] as string[], tokenError: null as string | null };
  const server = createServer(async (req, res) => {
    const url = new URL(req.url!, base);
    const json = (body: unknown) =>
      res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
    if (url.pathname === '/authorize') {
      challenges.push(url.searchParams.get('code_challenge')!);
      assert.ok(!url.searchParams.has('nonce'));
      const back = new URL(url.searchParams.get('redirect_uri')!);
      back.search = new URLSearchParams({ code: 'c', state: url.searchParams.get('state')! }).toString();
      return res.writeHead(302, { location: back.href }).end();
    }
    if (url.pathname === '/token') {
      const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(req)).toString());
      if (hub.tokenError) return json({ error: hub.tokenError, error_description: 'canary' });
      const verified =
        createHash('sha256').update(form.get('code_verifier')!).digest('base64url') === challenges.at(-1);
      if (!verified || form.get('client_secret') !== 'hub secret')
        return json({ error: 'bad_verification_code' });
      return json({ access_token: 'gho_canary', token_type: 'bearer', scope: 'read:user,user:email' });
    }
    hub.authorizations.push(`${req.headers.authorization} ${req.headers['user-agent']}`);
    return json(user());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const gateway = await signInGround(t, [
    providerAt(base, {
      protocol: 'oauth2',
      secret: 'hub secret',
      scope: 'read:user',
      endpoints: { authorization: `${base}/authorize`, token: `${base}/token`, userinfo: `${base}/user` },
      ...more,
    }),
  ]);
  return { ...gateway, hub, base, login: `${gateway.url}/auth/corp/login` };
}

test('a provider without OpenID signs people in by its user resource; their address counts as unverified', async t => {
  const { users, grants, login, hub, base } = await startHub(t, () => ({
    id: 583231,
    login: 'octocat',
    name: null,
    email: 'octo@corp.example',
  }));
  await users.create({ email: 'octo@corp.example', name: 'made ahead' });
  const page = await createBrowser().get(login);
  assert.equal(JSON.parse(page.text).name, 'octocat');
  assert.deepEqual(
    [grants[0]!.subject, grants[0]!.tokens],
    ['583231', { access_token: 'gho_canary', scope: 'read:user,user:email' }],
  );
  assert.ok(await users.byIdentity(base, '583231'));
  assert.equal((await users.list()).length, 2, 'the account made ahead is not joined');
  assert.match(hub.authorizations[0]!, /^bearer gho_canary sallyport$/i);
});

test('its claims decide who is admin and who may in', async t => {
  const rules = { admins: { claim: 'login', has: ['octocat'] }, allow: { claim: 'plan.name', has: ['pro'] } };
  let user: object = { id: 1, login: 'octocat', plan: { name: 'pro' } };
  const { login, refusal } = await startHub(t, () => user, rules);
  assert.equal(JSON.parse((await createBrowser().get(login)).text).admin, true);
  user = { id: 2, login: 'free', plan: { name: 'free' } };
  assert.equal((await createBrowser().get(login)).status, 403);
  assert.equal(refusal(), 'not_allowed');
});

test('a user resource that names nobody signs nobody in', async t => {
  let user: object = {};
  const { login, refusal, sessionCount } = await startHub(t, () => user);
  for (const bad of [{}, { id: '' }, { id: null }, { id: { a: 1 } }, { id: 1.5 }, []]) {
    user = bad;
    assert.equal((await createBrowser().get(login)).status, 400);
    assert.equal(refusal(), 'answer_invalid');
  }
  assert.equal(await sessionCount(), 0);
});

test('an error that wears status 200 is an error', async t => {
  const { login, hub, logged, sessionCount } = await startHub(t, () => ({ id: 1 }));
  hub.tokenError = 'bad_verification_code';
  const page = await createBrowser().get(login);
  assert.equal(page.status, 400);
  assert.ok(!(page.text + logged.join()).includes('canary'));
  assert.equal(await sessionCount(), 0);
});
