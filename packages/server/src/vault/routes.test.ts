import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { alice, staticKey, upstream, vaultGround } from '../../test/fixtures/vault-ground.ts';
import { asAppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import { vaultRoutes } from './routes.ts';

const bob = alice(null, { userId: 'usr_bob' });

/** The routes in a server of their own, called by whoever the test says; policies are the edge's, and tested there. */
async function withRoutes(t: TestContext) {
  const ground = await vaultGround(t);
  const upstreams = [
    upstream({ release: true, fallback: staticKey() }, { id: 'free' }),
    upstream({}, { id: 'kept' }),
    upstream({ release: true }, { id: 'others' }),
  ];
  let caller: Principal;
  const app = Fastify();
  t.after(() => app.close());
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  app.addHook('onRequest', async request => {
    assert.equal(request.routeOptions.config.policy, 'signed-in');
    request.principal = caller;
  });
  app.setErrorHandler((error: { statusCode?: number }, _, reply) => {
    const known = asAppError(error);
    return reply
      .code(error.statusCode ?? known.status)
      .headers(known.headers)
      .send({ code: known.code });
  });
  await app.register(
    vaultRoutes({
      vault: ground.vault,
      upstreams: { find: id => upstreams.find(one => one.id === id) },
      may: (_, { id }) => id !== 'others',
      providers: { find: id => (id === 'corp' ? { id, name: 'Corp SSO' } : undefined) },
    }),
  );
  async function call(as: Principal, method: 'GET' | 'POST' | 'DELETE', url: string, body?: object) {
    caller = as;
    const answer = await app.inject({ method, url, ...(body ? { body } : {}) });
    return {
      status: answer.statusCode,
      body: answer.body === '' ? null : answer.json(),
      headers: answer.headers,
    };
  }
  return { ...ground, call };
}

test('a program gets its user’s own token where the rule releases it, and no cache keeps it', async t => {
  const { call, signIn } = await withRoutes(t);
  await signIn();
  const { status, body, headers } = await call(alice(), 'POST', '/api/v1/token', { service: 'free' });
  assert.equal(status, 200);
  assert.deepEqual(body, { access_token: 'a1', token_type: 'Bearer', expires_in: 3590 });
  assert.equal(headers['cache-control'], 'no-store');
});

test('a rule that does not release is a 403; an upstream unknown, or not for the caller, a 404', async t => {
  const { call, signIn } = await withRoutes(t);
  await signIn();
  const ask = async (service: string) => (await call(alice(), 'POST', '/api/v1/token', { service })).status;
  assert.deepEqual([await ask('kept'), await ask('nowhere'), await ask('others')], [403, 404, 404]);
});

test('without a grant a program is told where to sign in, and never handed the fallback key', async t => {
  const { call } = await withRoutes(t);
  const { status, body } = await call(bob, 'POST', '/api/v1/token', { service: 'free' });
  assert.deepEqual([status, body], [401, { code: 'credential_missing' }]);
});

test('a body that says more or less than the service is refused', async t => {
  const { call } = await withRoutes(t);
  for (const body of [{}, { service: '' }, { service: 'free', user: 'usr_bob' }, { service: 1 }])
    assert.equal((await call(alice(), 'POST', '/api/v1/token', body)).status, 400);
});

test('a person sees their own grants, and of each nothing that is a token', async t => {
  const { call, signIn, clock } = await withRoutes(t);
  const id = await signIn({ scope: 'openid email' });
  await signIn({ userId: 'usr_bob' });
  const { body } = await call(alice(), 'GET', '/api/v1/grants');
  const iso = (at: number) => new Date(at).toISOString();
  assert.deepEqual(body.items, [
    {
      id,
      provider: 'corp',
      provider_name: 'Corp SSO',
      scope: 'openid email',
      state: 'ready',
      expires_at: iso(clock.now() + 3_600_000),
      refreshed_at: null,
      refresh_result: null,
      reconnect_url: '/auth/corp/login?return_to=%2Faccount',
      created_at: iso(clock.now()),
    },
  ]);
});

test('a grant that its provider refused shows as one to be mended', async t => {
  const { call, signIn, clock, vault } = await withRoutes(t);
  const id = await signIn({ refresh_token: 'revoked' });
  clock.advance(7_200_000);
  await assert.rejects(async () => vault.credentialFor(alice(id), upstream()), { code: 'reauth_required' });
  const { body } = await call(alice(), 'GET', '/api/v1/grants');
  assert.deepEqual([body.items[0].state, body.items[0].refresh_result], ['reauth_required', 'invalid_grant']);
});

test('a person ends their own grant, once, and nobody else’s', async t => {
  const { call, signIn, provider } = await withRoutes(t);
  const id = await signIn();
  const end = async (as: Principal) => (await call(as, 'DELETE', `/api/v1/grants/${id}`)).status;
  assert.equal(await end(bob), 404);
  assert.deepEqual(provider.revoked, []);
  assert.equal(await end(alice()), 204);
  assert.deepEqual(provider.revoked, ['r1']);
  assert.equal(await end(alice()), 404);
});
