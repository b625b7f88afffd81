import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { identityGround } from '../../test/fixtures/identity.ts';
import { asAppError } from '../platform/errors.ts';
import { commandLine } from '../terms/audit.ts';
import { createAuditStore, type TimedEvent } from './audit-store.ts';
import { auditRoutes } from './routes.ts';

async function ground(t: TestContext) {
  const { db, person } = await identityGround(t);
  const store = createAuditStore(db);
  const app = Fastify();
  t.after(() => app.close());
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error: { statusCode?: number }, _, reply) =>
    reply.code(error.statusCode ?? asAppError(error).status).send(),
  );
  await app.register(auditRoutes({ store, settled: async () => {} }));
  const get = async (url: string) => {
    const answer = await app.inject(url);
    return { status: answer.statusCode, text: answer.body, headers: answer.headers };
  };
  const list = async (query = '') =>
    JSON.parse((await get(`/api/v1/audit${query}`)).text) as {
      items: { id: string; at: string; user_label: string | null; detail: object }[];
      next: string | null;
    };
  const idsOf = async (query = '') => (await list(query)).items.map(item => item.id);
  return { store, person, get, list, idsOf };
}

const event = (id: string, at: number, more: Partial<TimedEvent> = {}): TimedEvent => ({
  id,
  at,
  action: 'key.create',
  ...commandLine,
  ...more,
});

test('the newest come first, with the name their user has now', async t => {
  const { store, person, list } = await ground(t);
  const alice = await person('alice');
  await store.insert([
    event('evt_1', 1000, { userId: alice.id, detail: { scoped: true } }),
    event('evt_2', 2000, { userId: 'usr_gone' }),
  ]);
  const { items, next } = await list();
  assert.deepEqual(
    items.map(({ id, at, user_label, detail }) => [id, at, user_label, detail]),
    [
      ['evt_2', '1970-01-01T00:00:02.000Z', null, {}],
      ['evt_1', '1970-01-01T00:00:01.000Z', 'alice', { scoped: true }],
    ],
  );
  assert.equal(next, null);
});

test('pages follow one another without loss, also within one millisecond', async t => {
  const { store, list } = await ground(t);
  await store.insert(Array.from({ length: 7 }, (_, n) => event(`evt_${n}`, n < 5 ? 1000 : 2000)));
  const seen: string[] = [];
  let next: string | null = null;
  do {
    const page = await list(`?limit=2${next === null ? '' : `&before=${next}`}`);
    seen.push(...page.items.map(item => item.id));
    next = page.next;
  } while (next !== null);
  assert.deepEqual(seen, ['evt_6', 'evt_5', 'evt_4', 'evt_3', 'evt_2', 'evt_1', 'evt_0']);
});

test('every filter narrows, a user by id or address', async t => {
  const { store, person, idsOf } = await ground(t);
  const alice = await person('alice');
  await store.insert([
    event('evt_1', 1000, { userId: alice.id }),
    event('evt_2', 2000, { action: 'key.revoke', target: 'key_1' }),
    event('evt_3', 3000),
  ]);
  assert.deepEqual(await idsOf(`?user=${alice.id}`), ['evt_1']);
  assert.deepEqual(await idsOf('?user=Alice%40corp.example'), ['evt_1']);
  assert.deepEqual(await idsOf('?action=key.revoke'), ['evt_2']);
  assert.deepEqual(await idsOf('?target=key_1'), ['evt_2']);
  assert.deepEqual(await idsOf('?from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:03Z'), ['evt_2']);
  assert.deepEqual(await idsOf("?action=x' or '1'='1"), []);
});

test('a cursor that is none, and times and limits that are none, are refused', async t => {
  const { get } = await ground(t);
  for (const query of ['before=nonsense', 'from=yesterday', 'limit=0', 'limit=501', 'limit=many'])
    assert.equal((await get(`/api/v1/audit?${query}`)).status, 400, query);
});

test('an export is every event that matches, a line each, and a file to keep', async t => {
  const { store, get } = await ground(t);
  await store.insert(Array.from({ length: 600 }, (_, n) => event(`evt_${n}`, n)));
  await store.insert(Array.from({ length: 5 }, (_, n) => event(`evt_x${n}`, n, { action: 'key.revoke' })));
  const { text, headers } = await get('/api/v1/audit/export?action=key.create');
  assert.equal(headers['content-type'], 'application/x-ndjson');
  assert.match(String(headers['content-disposition']), /attachment/);
  const lines = text.trimEnd().split('\n');
  assert.equal(new Set(lines.map(line => (JSON.parse(line) as { id: string }).id)).size, 600);
  assert.equal(lines.length, 600);
});

test('a name that ends in .* is every action of that beginning, and a credential finds what was done with it', async t => {
  const { store, idsOf } = await ground(t);
  await store.insert([
    event('evt_1', 1000, { action: 'grant.store', credentialId: 'ses_1' }),
    event('evt_2', 2000, { action: 'grant.end', credentialId: 'ses_2' }),
    event('evt_3', 3000, { action: 'key.create', credentialId: 'ses_1' }),
  ]);
  assert.deepEqual(await idsOf('?action=grant.*'), ['evt_2', 'evt_1']);
  assert.deepEqual(await idsOf('?credential=ses_1'), ['evt_3', 'evt_1']);
  assert.deepEqual(await idsOf('?credential=ses_1&action=grant.*'), ['evt_1']);
  assert.deepEqual(await idsOf('?action=.*'), []);
  assert.deepEqual(await idsOf('?action=*'), []);
});
