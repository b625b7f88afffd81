import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { AppError } from '../platform/errors.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { upstreamRoutes } from './routes.ts';

const upstream = (id: string, more: Partial<Upstream> = {}): Upstream => ({
  id,
  name: id.toUpperCase(),
  kind: 'openai',
  url: new URL('https://llm.corp.example/v1'),
  models: ['corp-*'],
  credential: {
    use: 'sign-in',
    token: 'access_token',
    strict: false,
    provider: null,
    fallback: null,
    release: false,
  },
  access: { everyone: true, users: [], groups: [] },
  headersTimeout: 1000,
  maxBody: 2 ** 30,
  ...more,
});

/** @param credentialFor what the vault says of each upstream */
async function ground(t: TestContext, upstreams: Upstream[], credentialFor: (id: string) => unknown) {
  const app = Fastify();
  t.after(() => app.close());
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  app.addHook('onRequest', async request => {
    request.principal = {} as Principal;
  });
  await app.register(
    upstreamRoutes({
      upstreams: { list: () => upstreams },
      may: (_, { id }) => id !== 'secret',
      vault: { credentialFor: (_, { id }) => credentialFor(id) as null },
      failing: { of: id => (id === 'ill' ? { since: 60_000, said: 'It broke off.' } : null) },
      publicUrl: new URL('https://gate.corp.example'),
      // The one wait is the page's patience, which is over at once.
      runtime: { sleep: () => new Promise(resolve => setImmediate(resolve)) },
    }),
  );
  const items = async (path: string) =>
    (await app.inject(path)).json<{ items: Record<string, unknown>[] }>().items;
  return { home: () => items('/api/v1/home') };
}

test('each upstream that the caller may use shows its state: ready, connect, failing, or out of reach', async t => {
  const action = 'https://gate.corp.example/auth/corp/login';
  const { home } = await ground(
    t,
    ['well', 'ill', 'new', 'spent', 'off', 'away', 'slow', 'secret'].map(id => upstream(id)),
    id => {
      if (id === 'new') throw new AppError('credential_missing', 'x', { action });
      if (id === 'spent') return Promise.reject(new AppError('reauth_required', 'x', { action }));
      if (id === 'off') throw new AppError('credential_missing', 'It is switched off.');
      if (id === 'away') throw new AppError('unavailable', 'Try again in 5 s.');
      if (id === 'slow') return new Promise(() => {});
      return null;
    },
  );
  const states = (await home()).map(({ id, state, connect_url, failing_since, detail }) => [
    id,
    state,
    connect_url,
    failing_since,
    detail,
  ]);
  const words = (n: number) => states[n]!.splice(4, 1)[0] as string;
  assert.match(words(2), /sign in with its provider/);
  assert.match(words(3), /sign in there again/);
  assert.deepEqual(states, [
    ['well', 'ready', null, null, null],
    ['ill', 'failing', null, '1970-01-01T00:01:00.000Z', 'It broke off.'],
    ['new', 'connect', action, null],
    ['spent', 'connect', action, null],
    ['off', 'denied', null, null, 'It is switched off.'],
    ['away', 'failing', null, null, 'Try again in 5 s.'],
    ['slow', 'ready', null, null, null],
  ]);
});

test('clients are pointed at /v1 where the model picks the upstream, else at the upstream’s own path', async t => {
  const { home } = await ground(
    t,
    [upstream('a'), upstream('b', { models: [] }), upstream('c', { kind: 'http', models: [] })],
    () => null,
  );
  assert.deepEqual(
    (await home()).map(item => item['base_url']),
    ['https://gate.corp.example/v1', 'https://gate.corp.example/u/b', 'https://gate.corp.example/u/c'],
  );
});
