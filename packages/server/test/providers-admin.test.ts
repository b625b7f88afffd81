import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Caller, callerAs, callerWith } from './fixtures/admin.ts';
import { createBrowser } from './fixtures/browser.ts';
import { eventually } from './fixtures/data-plane.ts';
import { type Gateway, type GatewayOptions, providerConfig, startGateway } from './fixtures/gateway.ts';
import { freePort } from './fixtures/ports.ts';
import { postgresUrl } from './fixtures/postgres.ts';
import { startProvider, type TestProvider } from './fixtures/provider.ts';
import { startUpstream } from './fixtures/upstream.ts';

const draftOf = (provider: TestProvider, more: Record<string, unknown> = {}) => ({
  id: 'added',
  name: 'Added SSO',
  protocol: 'oidc',
  issuer: provider.issuer,
  client_id: provider.clientId,
  client_secret: provider.clientSecret,
  scope: 'openid profile email groups offline_access',
  response_mode: 'query',
  ...more,
});

async function house(t: TestContext, options: GatewayOptions = {}) {
  const provider = await startProvider();
  t.after(() => provider.close());
  const gateway = await startGateway(t, options);
  const admin = await callerAs(gateway, 'root@corp.example', '--admin');
  return { provider, gateway, admin };
}

/** Signs in at an added provider. @returns calls with that session */
async function signIn(gateway: Gateway, provider: TestProvider, id = 'added') {
  const browser = createBrowser();
  const page = await provider.signIn(browser, `${gateway.url}/auth/${id}/login`);
  const cookie = browser.cookie(gateway.url, 'oauth_session_id');
  const call: Caller = callerWith(gateway, { cookie: `oauth_session_id=${cookie}`, origin: gateway.url });
  return { page, cookie, call };
}

const options = async (gateway: Gateway) =>
  (await callerWith(gateway, {})('GET', '/api/v1/sign-in-options')).body.providers.map(
    ({ id }: { id: string }) => id,
  );

test('a provider that is added can be signed in with at once, and after a restart', async t => {
  const { provider, gateway, admin } = await house(t);
  assert.deepEqual(await options(gateway), []);
  const made = await admin('POST', '/api/v1/providers', draftOf(provider));
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body, {
    id: 'added',
    name: 'Added SSO',
    protocol: 'oidc',
    issuer: provider.issuer,
    client_id: provider.clientId,
    has_secret: true,
    scope: 'openid profile email groups offline_access',
    response_mode: 'query',
    groups_claim: 'groups',
    allow: null,
    admins: null,
    authorization_params: {},
    endpoints: null,
    source: 'database',
    problem: null,
  });
  assert.deepEqual(await options(gateway), ['added']);
  assert.equal((await (await signIn(gateway, provider)).call('GET', '/api/v1/me')).status, 200);

  await gateway.stop();
  await gateway.restart();
  assert.equal((await (await signIn(gateway, provider)).call('GET', '/api/v1/me')).status, 200);

  const byForm = draftOf(provider, { client_secret: undefined, response_mode: 'form_post', name: 'By form' });
  assert.equal((await admin('PUT', '/api/v1/providers/added', byForm)).status, 200);
  const { page, call } = await signIn(gateway, provider);
  assert.ok(
    page.trail.some(url => url.startsWith('POST ')),
    'by a form from now on, with the secret it had',
  );
  assert.equal((await call('GET', '/api/v1/me')).status, 200);
});

test('who may sign in, and who is an admin, is said by the rules of an added provider', async t => {
  const { provider, gateway, admin } = await house(t);
  const nobody = draftOf(provider, { allow: { claim: 'groups', has: ['no-such-group'] } });
  await admin('POST', '/api/v1/providers', nobody);
  assert.match((await signIn(gateway, provider)).page.text, /You are not signed in/);
  const root = draftOf(provider, { admins: { claim: 'sub', has: [provider.account] } });
  await admin('PUT', '/api/v1/providers/added', root);
  assert.equal((await (await signIn(gateway, provider)).call('GET', '/api/v1/users')).status, 200);
});

test('removing a provider says what goes with it, and ends it: sessions, tokens at the provider, sign-ins under way', async t => {
  const { provider, gateway, admin } = await house(t);
  await admin('POST', '/api/v1/providers', draftOf(provider));
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  await admin('POST', '/api/v1/upstreams', {
    id: 'tools',
    name: 'Tools',
    kind: 'http',
    url: upstream.url,
    credential: { use: 'sign-in', provider: 'added' },
    access: { everyone: true },
  });
  const [one, two] = [await signIn(gateway, provider), await signIn(gateway, provider)];
  assert.equal((await two.call('GET', '/u/tools/x')).status, 200);
  assert.deepEqual((await admin('GET', '/api/v1/providers/added/consequences')).body, {
    users: 1,
    sessions: 2,
    grants: 2,
    upstreams: ['Tools'],
  });

  const late = createBrowser();
  const leaving = await late.once(`${gateway.url}/auth/added/login`);
  assert.equal((await admin('DELETE', '/api/v1/providers/added')).status, 204);
  for (const { call } of [one, two]) assert.equal((await call('GET', '/api/v1/me')).status, 401);
  await eventually(() => provider.revocations === 2);
  assert.deepEqual(await options(gateway), []);
  assert.equal((await callerWith(gateway, {})('GET', '/auth/added/login')).status, 404);

  // Its name is taken by another; who was on the way comes back to nothing.
  const other = await startProvider();
  t.after(() => other.close());
  await admin('POST', '/api/v1/providers', draftOf(other));
  const back = await late.get(leaving.headers.get('location')!);
  assert.match(back.text, /You are not signed in/);
  assert.equal(late.cookie(gateway.url, 'oauth_session_id'), undefined);
  const [refused] = (await admin('GET', '/api/v1/audit?action=sign-in.refused')).body.items;
  assert.equal(refused.detail.reason, 'state_unknown', 'its code was shown to nobody');
  const ended = (await admin('GET', '/api/v1/audit?action=session.end')).body.items;
  assert.deepEqual(
    ended.map(({ detail }: { detail: { why: string } }) => detail.why),
    ['provider-removed', 'provider-removed'],
  );
});

test('a removal in one replica ends what a session began in another within five seconds', async t => {
  const store = await postgresUrl(t);
  if (store === null) return;
  const { provider, gateway, admin } = await house(t, { store });
  const other = await startGateway(t, { store, directory: gateway.directory });
  await admin('POST', '/api/v1/providers', draftOf(provider));
  const within = async (holds: () => Promise<boolean>) => {
    const start = performance.now();
    while (!(await holds())) {
      assert.ok(performance.now() - start < 5_000, 'not within 5 s');
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  };
  await within(async () => (await options(other)).length === 1);
  const { call } = await signIn(other, provider);
  assert.equal((await call('GET', '/api/v1/me')).status, 200);
  await admin('DELETE', '/api/v1/providers/added');
  await within(async () => (await call('GET', '/api/v1/me')).status === 401);
  await within(async () => (await options(other)).length === 0);
});

test('a provider’s server cannot be changed: refresh tokens and the secret go to no other', async t => {
  const { provider, admin } = await house(t);
  await admin('POST', '/api/v1/providers', draftOf(provider));
  const thief = await startProvider();
  t.after(() => thief.close());
  const stolen = [
    draftOf(provider, { issuer: thief.issuer, client_secret: undefined }),
    draftOf(provider, { issuer: thief.issuer }),
    draftOf(provider, {
      protocol: 'oauth2',
      endpoints: {
        authorization: `${provider.issuer}/auth`,
        token: `${thief.issuer}/token`,
        userinfo: `${provider.issuer}/me`,
      },
    }),
  ];
  for (const draft of stolen) {
    const { status, body } = await admin('PUT', '/api/v1/providers/added', draft);
    assert.equal(status, 400);
    assert.match(body.detail, /add another provider/);
  }
});

test('presets, and drafts that do not hold', async t => {
  const { admin, provider } = await house(t);
  const { issuer, scope, protocol, ...rest } = draftOf(provider);
  const github = await admin('POST', '/api/v1/providers', { ...rest, id: 'github', preset: 'github' });
  assert.equal(github.status, 201, github.text);
  assert.equal(github.body.protocol, 'oauth2');
  assert.equal(github.body.endpoints.token, 'https://github.com/login/oauth/access_token');
  const again = { ...github.body };
  for (const key of ['has_secret', 'source', 'problem']) delete again[key];
  assert.equal(
    (await admin('PUT', '/api/v1/providers/github', again)).status,
    200,
    'what is read can be sent back',
  );

  const refusals: [Record<string, unknown>, RegExp][] = [
    [{ issuer: 'javascript:alert(1)' }, /^issuer: expected/],
    [{ issuer: 'https://me:pass@login.corp.example' }, /without user name or password/],
    [{ issuer: 'http://login.corp.example' }, /expected https/],
    [{ issuer: 'https://169.254.169.254' }, /link-local/],
    [{ client_secret: 'file:/etc/passwd' }, /the secret itself/],
    [{ client_secret: 'env:HOME' }, /the secret itself/],
    [{ id: 'check' }, /gateway's own/],
    [{ id: 'A B' }, /^id: expected/],
    [{ protocol: 'oauth2' }, /endpoints: expected/],
    [{ preset: 'microsoft', issuer: undefined }, /tenant: missing/],
    [{ allow: { claim: 'groups', has: [] } }, /has/],
    [{ scopes: 'openid' }, /scopes/],
  ];
  for (const [more, said] of refusals) {
    const { status, body } = await admin('POST', '/api/v1/providers', draftOf(provider, more));
    assert.equal(status, 400, JSON.stringify(more));
    assert.match(body.detail, said);
  }
});

test('the test says what the provider answers, of one that is there and of a draft', async t => {
  const { provider, admin } = await house(t);
  await admin('POST', '/api/v1/providers', draftOf(provider));
  const ask = async (body: unknown) => (await admin('POST', '/api/v1/providers/test', body)).body;
  assert.equal((await ask({ id: 'added' })).ok, true);
  const { issuer } = provider;
  const cases: [string, RegExp][] = [
    [`http://127.0.0.1:${await freePort()}`, /nothing listens there/],
    [`${issuer}/`, /calls itself/],
    [`${issuer}/nowhere`, /no discovery document/],
  ];
  assert.equal((await ask({ draft: draftOf(provider) })).ok, true);
  for (const [wrong, said] of cases) {
    const answer = await ask({ draft: draftOf(provider, { issuer: wrong }) });
    assert.equal(answer.ok, false);
    assert.match(answer.said, said);
    assert.equal(typeof answer.hint, 'string');
  }
});

test('providers of the file are nobody’s to change here, and no admin means no', async t => {
  const provider = await startProvider();
  t.after(() => provider.close());
  const { gateway, admin } = await house(t, { config: { providers: [providerConfig(provider)] } });
  const file = draftOf(provider, { id: 'corp' });
  for (const { status, body } of [
    await admin('POST', '/api/v1/providers', file),
    await admin('PUT', '/api/v1/providers/corp', file),
    await admin('DELETE', '/api/v1/providers/corp'),
  ]) {
    assert.equal(status, 409);
    assert.match(body.detail, /change it there and restart/);
  }
  const session = await signIn(gateway, provider, 'corp');
  assert.equal((await session.call('GET', '/api/v1/me')).status, 200, 'and its sessions go on');
  const acts = [
    ['GET', '/api/v1/providers'],
    ['POST', '/api/v1/providers', draftOf(provider)],
    ['PUT', '/api/v1/providers/corp', file],
    ['DELETE', '/api/v1/providers/corp'],
    ['GET', '/api/v1/providers/corp/consequences'],
    ['POST', '/api/v1/providers/test', { draft: draftOf(provider) }],
  ] as const;
  const user = await callerAs(gateway, 'alice@corp.example');
  const nobody = callerWith(gateway, {});
  for (const [method, path, body] of acts) {
    assert.equal((await user(method, path, body)).status, 403, `${method} ${path}`);
    assert.equal((await session.call(method, path, body)).status, 403, `${method} ${path}`);
    assert.equal((await nobody(method, path, body)).status, 401, `${method} ${path}`);
  }
});

test('a client secret is in no answer, log, audit event or file, and a rotation of keys reseals it', async t => {
  const { provider, gateway, admin } = await house(t, { config: { logLevel: 'trace' } });
  const said = [
    await admin('POST', '/api/v1/providers', draftOf(provider)),
    await admin('PUT', '/api/v1/providers/added', draftOf(provider, { client_secret: undefined })),
    await admin('GET', '/api/v1/providers'),
    await admin('POST', '/api/v1/providers/test', { id: 'added' }),
    await admin('GET', '/api/v1/audit'),
  ].map(({ text }) => text);
  await signIn(gateway, provider);
  const doctor = await gateway.command('doctor');
  const rotated = await gateway.command('secrets', 'rotate');
  assert.equal(rotated.code, 0, rotated.stderr);
  for (const text of [...said, gateway.output(), doctor.stdout, rotated.stdout])
    assert.ok(!text.includes(provider.clientSecret));
  for (const [name, bytes] of gateway.files()) assert.ok(!bytes.includes(provider.clientSecret), name);
  assert.match(doctor.stdout, /provider added: .*discovered/);
});
