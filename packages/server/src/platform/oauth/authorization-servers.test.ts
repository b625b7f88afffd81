import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenRevocation } from 'openid-client';
import type { Provider } from '../../terms/provider.ts';
import { AppError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { createAuthorizationServers } from './authorization-servers.ts';
import { oauthFailure, providerFailed } from './failure.ts';

const ISSUER = 'https://login.corp.example';
const corp: Provider = {
  id: 'corp',
  name: 'Corp SSO',
  protocol: 'oidc',
  issuer: ISSUER,
  clientId: 'sallyport',
  clientSecret: new Secret('s3cret'),
  scope: 'openid',
  responseMode: 'query',
  authorizationParams: {},
  endpoints: null,
  groupsClaim: 'groups',
  admins: null,
  allow: null,
};

function ground(provider: Partial<Provider> = {}, metadata: object = {}) {
  const runtime = { time: 0, now: () => runtime.time };
  const asked: { url: string; init: RequestInit }[] = [];
  const server = { answer: null as (() => Promise<Response>) | null };
  const fetch = async (url: string, init: RequestInit = {}) => {
    asked.push({ url, init });
    if (server.answer) return server.answer();
    return Response.json({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      revocation_endpoint: `${ISSUER}/revoke`,
      ...metadata,
    });
  };
  let list: readonly Provider[] = [{ ...corp, ...provider }];
  const providers = { list: () => list };
  const become = (next: readonly Provider[]) => {
    list = next;
  };
  const servers = createAuthorizationServers({
    providers,
    fetch,
    runtime,
    insecureHttp: false,
  });
  return { runtime, asked, server, servers, become };
}

test('a provider is discovered once for all who ask at a time, and again after an hour', async () => {
  const { servers, asked, runtime } = ground();
  const [one, two] = await Promise.all([servers.configurationFor('corp'), servers.configurationFor('corp')]);
  assert.equal(one, two);
  runtime.time = 3_599_999;
  assert.equal(await servers.configurationFor('corp'), one);
  assert.deepEqual(
    asked.map(({ url }) => url),
    [`${ISSUER}/.well-known/openid-configuration`],
  );
  runtime.time = 3_600_000;
  assert.notEqual(await servers.configurationFor('corp'), one);
});

test('a failed discovery is asked again after a growing pause, and what was known is used meanwhile', async () => {
  const { servers, asked, runtime, server } = ground();
  server.answer = async () => new Response('<html>', { status: 503 });
  const failed = { code: 'provider_failed', status: 502 };
  for (const [at, expected] of [
    [0, 1],
    [999, 1],
    [1_000, 2],
    [2_999, 2],
    [3_000, 3],
  ] as const) {
    runtime.time = at;
    await assert.rejects(servers.configurationFor('corp'), failed);
    assert.equal(asked.length, expected, `at ${at}`);
  }
  server.answer = null;
  runtime.time = 10_000;
  const known = await servers.configurationFor('corp');
  server.answer = async () => Promise.reject(new Error('gone'));
  runtime.time += 3_600_000;
  assert.equal(await servers.configurationFor('corp'), known);
});

test('metadata of another issuer is refused (RFC 8414 section 3.3)', async () => {
  const { servers } = ground({}, { issuer: 'https://evil.example' });
  await assert.rejects(servers.configurationFor('corp'), { code: 'provider_failed' });
});

test('http endpoints of an https issuer are refused', async () => {
  const { servers, asked } = ground({}, { revocation_endpoint: 'http://login.corp.example/revoke' });
  const configuration = await servers.configurationFor('corp');
  await assert.rejects(tokenRevocation(configuration, 'canary'));
  assert.equal(asked.length, 1);
});

test('the client authenticates by the header, or by the body where only that is taken', async () => {
  for (const [methods, inHeader] of [
    [undefined, true],
    [['client_secret_post', 'client_secret_basic'], true],
    [['client_secret_post'], false],
  ] as const) {
    const { servers, asked, server } = ground({}, { token_endpoint_auth_methods_supported: methods });
    const configuration = await servers.configurationFor('corp');
    server.answer = async () => new Response();
    await tokenRevocation(configuration, 'token');
    const { headers, body } = asked[1]!.init;
    assert.equal(new Headers(headers).has('authorization'), inHeader);
    assert.equal(String(body).includes('s3cret'), !inHeader);
  }
});

test('a provider without OpenID needs no discovery; an unknown one is not found', async () => {
  const endpoints = { authorization: `${ISSUER}/a`, token: `${ISSUER}/t`, userinfo: `${ISSUER}/u` };
  const { servers, asked } = ground({ protocol: 'oauth2', endpoints });
  assert.equal((await servers.configurationFor('corp')).serverMetadata().token_endpoint, `${ISSUER}/t`);
  assert.equal(asked.length, 0);
  await assert.rejects(servers.configurationFor('nobody'), { code: 'not_found' });
});

test('what is said of a failure is a code and a status, never a text or a cause of theirs', () => {
  const error = Object.assign(new Error('canary'), {
    error: 'invalid_grant',
    error_description: 'canary',
    status: 400,
    cause: { token: 'canary' },
  });
  assert.deepEqual(oauthFailure(error), { code: 'invalid_grant', status: 400 });
  assert.equal(oauthFailure(Object.assign(new Error(), { error: 'canary <b>' })).code, 'Error');
  assert.equal(
    oauthFailure(new Error('x', { cause: new AppError('upstream_unreachable', 'y') })).code,
    'upstream_unreachable',
  );
  assert.equal(oauthFailure(null).code, 'unknown');
  const failed = providerFailed('It failed.', error);
  assert.ok(!JSON.stringify([failed.message, String(failed.cause)]).includes('canary'));
});

test('a provider that was changed is discovered anew, with its new secret', async () => {
  const { servers, asked, become } = ground();
  const one = await servers.configurationFor('corp');
  become([{ ...corp, clientId: 'another' }]);
  const two = await servers.configurationFor('corp');
  assert.notEqual(one, two);
  assert.equal(two.clientMetadata().client_id, 'another');
  assert.equal(asked.length, 2);
});

test('a provider that was removed is spoken to for ten minutes more, but is known no more; one that takes its name is another', async () => {
  const { servers, runtime, become } = ground();
  become([]);
  await assert.rejects(servers.configurationFor('corp'), { code: 'not_found' });
  servers.retire(corp);
  assert.equal((await servers.configurationFor('corp')).clientMetadata().client_id, 'sallyport');
  assert.throws(() => servers.provider('corp'), { code: 'not_found' });
  become([{ ...corp, clientId: 'another' }]);
  assert.equal((await servers.configurationFor('corp')).clientMetadata().client_id, 'another');
  become([]);
  runtime.time = 600_000;
  await assert.rejects(servers.configurationFor('corp'), { code: 'not_found' });
});
