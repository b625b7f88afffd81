import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { postgresUrl } from '../../test/fixtures/postgres.ts';
import { createEntryReader } from '../config/entries.ts';
import { createBus, type Notice } from '../platform/bus.ts';
import { openDatabase, type StoreUrl } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { createDefinitionStore } from '../platform/definitions/definition-store.ts';
import { createLog } from '../platform/log.ts';
import { systemRuntime } from '../platform/runtime.ts';
import type { Upstream } from '../terms/upstream.ts';
import { createGrantStore } from '../vault/grant-store.ts';
import { type Keyring, parseKey } from '../vault/keyring.ts';
import { assertKeysPresent, rotate } from '../vault/rotate.ts';
import { createSealer } from '../vault/seal.ts';
import { keyOf, type UpstreamDraft, upstreamDraft } from './definition.ts';
import { createUpstreamEdits } from './upstream-edits.ts';
import { createUpstreams } from './upstreams.ts';

const key = (fill: number) => parseKey(Buffer.alloc(32, fill).toString('hex'), 'test');
const KEY = 'a-static-key-of-payroll';

const draft = (more: Record<string, unknown> = {}): UpstreamDraft =>
  upstreamDraft.parse({
    id: 'payroll',
    name: 'Payroll',
    kind: 'http',
    url: 'https://payroll.corp.example/api/',
    credential: { use: 'key', key: KEY },
    access: { groups: ['finance'] },
    ...more,
  });
const keeping = (more: Record<string, unknown> = {}) => draft({ credential: { use: 'key' }, ...more });

/** A database, and processes that use it. */
async function ground(t: TestContext, where: StoreUrl = { dialect: 'sqlite', path: ':memory:' }) {
  const database = openDatabase(where, systemRuntime);
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  const { db } = database;
  const store = createDefinitionStore(db, 'upstream');

  async function start(
    options: { ring?: Keyring; configured?: readonly Upstream[]; exposed?: boolean } = {},
  ) {
    const reader = createEntryReader({ insecureHttp: false, exposed: options.exposed ?? false });
    const bus = createBus();
    const notices: string[] = [];
    bus.subscribe((notice: Notice) => {
      if (notice.topic === 'upstream-changed') notices.push(notice.upstreamId);
    });
    const sealer = createSealer(options.ring ?? [key(1)], systemRuntime);
    const upstreams = createUpstreams({
      configured: options.configured ?? [],
      store,
      sealer,
      reader,
      bus,
      log: createLog({ level: 'silent' }),
    });
    await upstreams.load();
    const edits = createUpstreamEdits({ upstreams, reader, providers: { list: () => [{ id: 'corp' }] } });
    return { upstreams, edits, notices, sealer };
  }
  return { db, store, start };
}

for (const dialect of ['SQLite', 'PostgreSQL'] as const) {
  test(`${dialect}: what one process adds, changes and removes, another knows at its next look`, async t => {
    const url = dialect === 'PostgreSQL' ? await postgresUrl(t) : null;
    if (dialect === 'PostgreSQL' && url === null) return;
    const { start } = await ground(t, url === null ? undefined : { dialect: 'postgres', url });
    const [one, two] = [await start(), await start()];
    await one.edits.create(draft());
    assert.deepEqual(one.notices, ['payroll']);
    assert.equal(keyOf(one.upstreams.find('payroll')!), KEY);
    assert.equal(two.upstreams.find('payroll'), undefined);

    await two.upstreams.load();
    const before = two.upstreams.find('payroll')!;
    assert.equal(keyOf(before), KEY);
    assert.equal(before.url.href, 'https://payroll.corp.example/api');
    await two.upstreams.load();
    assert.equal(two.upstreams.find('payroll'), before, 'what did not change stays the same object');
    assert.deepEqual(two.notices, ['payroll']);

    await one.edits.create(draft({ id: 'second' }));
    await one.edits.update('payroll', keeping({ name: 'Payroll 2' }));
    await two.upstreams.load();
    assert.deepEqual(
      two.upstreams.list().map(({ id, name }) => [id, name]),
      [
        ['payroll', 'Payroll 2'],
        ['second', 'Payroll'],
      ],
    );
    assert.equal(keyOf(two.upstreams.find('payroll')!), KEY, 'left out, a key is kept');

    await one.upstreams.remove('payroll');
    await two.upstreams.load();
    assert.equal(two.upstreams.find('payroll'), undefined);
    assert.deepEqual(two.notices, ['payroll', 'payroll', 'second', 'payroll']);
    await assert.rejects(two.edits.update('payroll', draft()), { code: 'not_found' });
    await assert.rejects(two.upstreams.remove('payroll'), { code: 'not_found' });
    await assert.rejects(two.edits.create(draft({ id: 'second' })), { code: 'conflict' });
  });

  test(`${dialect}: of many who add the same id at once, one does`, async t => {
    const url = dialect === 'PostgreSQL' ? await postgresUrl(t) : null;
    if (dialect === 'PostgreSQL' && url === null) return;
    const { start } = await ground(t, url === null ? undefined : { dialect: 'postgres', url });
    const { edits, upstreams } = await start();
    const results = await Promise.allSettled([1, 2, 3, 4].map(n => edits.create(draft({ name: `n${n}` }))));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(upstreams.list().length, 1);
  });
}

test('a stored key is nowhere in the row in plain, and does not open under another id, version or definition', async t => {
  const attacks = {
    'another address': [
      'payroll',
      sql`update definitions set definition = replace(definition, 'payroll.corp.example', 'evil.example') where id = 'payroll'`,
    ],
    'another row': [
      'mine',
      sql`update definitions set version = 1, envelope = (select envelope from definitions where id = 'payroll') where id = 'mine'`,
    ],
    'another version': ['payroll', sql`update definitions set version = 3 where id = 'payroll'`],
  } as const;
  for (const [name, [id, attack]] of Object.entries(attacks)) {
    const { db, start } = await ground(t);
    const one = await start();
    await one.edits.create(draft());
    await one.edits.create(draft({ id: 'mine', credential: { use: 'key', key: 'another-key' } }));
    assert.ok(!JSON.stringify(await db.selectFrom('definitions').selectAll().execute()).includes(KEY));
    await attack.execute(db);
    const { upstreams } = await start();
    assert.equal(upstreams.find(id), undefined, name);
    assert.match(upstreams.entries().find(entry => entry.id === id)!.problem!, /cannot be opened/, name);
    assert.equal(upstreams.list().length, 1, 'the other goes on');
  }
});

test('a key that is kept goes to no other server than the one it was given for', async t => {
  const { start } = await ground(t);
  const { edits, upstreams } = await start();
  await edits.create(draft());
  for (const url of [
    'https://evil.example/api',
    'https://payroll.corp.example:8443/api',
    'http://localhost:1/',
  ]) {
    const refusal = { code: 'bad_request', message: /credential\.key: enter it again/ };
    await assert.rejects(edits.update('payroll', keeping({ url })), refusal);
    assert.throws(() => edits.compose(keeping({ url }), 'payroll'), refusal);
  }
  await edits.update('payroll', keeping({ url: 'https://payroll.corp.example/other' }));
  assert.equal(keyOf(upstreams.find('payroll')!), KEY);
  await edits.update('payroll', draft({ url: 'https://new.corp.example', credential: { use: 'none' } }));
  await assert.rejects(edits.update('payroll', keeping({ url: 'https://new.corp.example' })), {
    message: /credential\.key: missing/,
  });
});

test('drafts are held to the rules of the configuration file, and follow no variable or file of the machine', async t => {
  const { start } = await ground(t);
  const { edits } = await start({ exposed: true });
  const refusals: [Record<string, unknown>, RegExp][] = [
    [{ id: 'whoami' }, /gateway's own/],
    [{ id: 'Not An Id' }, /^id: expected an id/],
    [{ name: ' ' }, /^name: expected a name/],
    [{ kind: 'ftp' }, /^kind: expected one of/],
    [{ models: ['x'] }, /^models: expected only where kind is openai/],
    [{ url: 'ftp://payroll.corp.example' }, /^url: expected an http/],
    [{ url: 'file:///etc/passwd' }, /^url: expected an http/],
    [{ url: 'javascript:alert(1)' }, /^url: expected an http/],
    [{ url: 'https://me:secret@payroll.corp.example' }, /without user name or password/],
    [{ url: 'https://payroll.corp.example/?key=1' }, /without query or fragment/],
    [{ url: 'http://payroll.corp.example' }, /expected https:/],
    [{ url: 'https://169.254.169.254/latest/meta-data' }, /link-local/],
    [{ url: 'https://2852039166/' }, /link-local/],
    [{ url: 'https://[::ffff:169.254.169.254]/' }, /link-local/],
    [{ url: 'https://[fe80::1]/' }, /link-local/],
    [{ url: 'https://0.0.0.0/' }, /link-local/],
    [{ credential: { use: 'key' } }, /credential\.key: missing/],
    [{ credential: { use: 'key', key: '' } }, /it is empty/],
    [{ credential: { use: 'key', key: 'env:HOME' } }, /the secret itself/],
    [{ credential: { use: 'key', key: 'file:/etc/passwd' } }, /the secret itself/],
    [{ credential: { use: 'key', key: 'change-me' } }, /a known default/],
    [{ credential: { use: 'key', key: 'a\r\nx-admin: 1' } }, /visible ASCII/],
    [{ credential: { use: 'key', key: KEY, header: 'x\r\ny' } }, /credential\.header: expected/],
    [{ credential: { use: 'key', key: KEY, header: 'host' } }, /credential\.header: expected/],
    [{ credential: { use: 'key', key: KEY, header: 'Transfer-Encoding' } }, /credential\.header: expected/],
    [{ credential: { use: 'key', key: KEY, scheme: 'Bearer\r\nx: y' } }, /credential\.scheme: expected/],
    [{ credential: { use: 'sign-in', provider: 'nobody' } }, /expected the id of a provider \(corp\)/],
    [{ credential: { use: 'sign-in', fallback: {} } }, /credential\.fallback\.key: missing/],
  ];
  for (const [more, message] of refusals)
    await assert.rejects(edits.create(draft(more)), { code: 'bad_request', message }, JSON.stringify(more));
});

test('the file wins: its ids are not taken here, and one that it takes later rests here', async t => {
  const { start } = await ground(t);
  const one = await start();
  await one.edits.create(draft());
  const ofFile = one.edits.compose(draft({ name: 'Of the file', url: 'https://file.example' }), undefined);
  const two = await start({ configured: [ofFile] });
  assert.equal(two.upstreams.find('payroll')!.name, 'Of the file');
  assert.deepEqual(
    two.upstreams.entries().map(({ source, problem }) => [source, problem !== null]),
    [
      ['file', false],
      ['database', true],
    ],
  );
  await assert.rejects(two.edits.create(draft()), { code: 'conflict', message: /configuration file/ });
  await assert.rejects(two.edits.update('payroll', draft()), { code: 'conflict' });
  await two.upstreams.remove('payroll');
  await assert.rejects(two.upstreams.remove('payroll'), { code: 'conflict' });
  assert.equal(two.upstreams.find('payroll')!.name, 'Of the file');
});

test('a rotation of keys reseals stored keys, and a gateway without the key of one does not start', async t => {
  const { db, start } = await ground(t);
  const one = await start();
  await one.edits.create(draft());
  await one.edits.create(draft({ id: 'open', credential: { use: 'none' } }));
  const two = await start({ ring: [key(2), key(1)] });
  const alone = createSealer([key(2)], systemRuntime);
  await assert.rejects(assertKeysPresent([two.upstreams.shelf], alone), { code: 'config_invalid' });
  const store = createGrantStore(db);
  const audit = { record: () => {} };
  assert.equal(await rotate({ store, shelves: [two.upstreams.shelf], sealer: two.sealer, audit }), 1);
  await assertKeysPresent([two.upstreams.shelf], alone);
  const three = await start({ ring: [key(2)] });
  assert.equal(keyOf(three.upstreams.find('payroll')!), KEY);
});
