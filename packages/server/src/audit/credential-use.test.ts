import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { caller, own, service, staticKey } from '../../test/fixtures/vault.ts';
import { createLog } from '../platform/log.ts';
import type { Credential } from '../terms/credential.ts';
import type { TimedEvent } from './audit-store.ts';
import { type CredentialUse, createCredentialUses } from './credential-use.ts';

const TEN = Date.parse('2027-03-01T10:00:00.000Z');
const token: Credential = {
  header: 'authorization',
  value: 'Bearer canary-of-a-token',
  expiresAt: TEN,
  source: { grantId: 'grt_1', version: 1 },
};
const use = (more: Partial<CredentialUse> = {}): CredentialUse => ({
  principal: caller('alice'),
  upstream: own(),
  credential: token,
  result: 'ok',
  address: '203.0.113.7',
  ...more,
});

/** A clock that the test moves; `pass` runs what was due. */
function ground() {
  let due: (() => void) | null = null;
  const rows: TimedEvent[] = [];
  const store = {
    away: false,
    async insert(events: readonly TimedEvent[]) {
      if (store.away) throw new Error('the database is away');
      rows.push(...events);
    },
  };
  const runtime = {
    time: TEN,
    now: () => runtime.time,
    monotonic: () => runtime.time,
    random: randomBytes,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const end = runtime.time + ms;
        due = () => runtime.time >= end && resolve();
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const lines: string[] = [];
  const log = createLog({ level: 'warn', destination: { write: line => void lines.push(line) } });
  const uses = createCredentialUses({ action: 'credential.use', store, bus: { publish() {} }, runtime, log });
  async function pass(ms: number) {
    runtime.time += ms;
    due?.();
    await new Promise(resolve => setImmediate(resolve));
  }
  return { uses, rows, store, runtime, lines, pass };
}

test('a thousand calls within a minute are one row, with their number, the first, the last and where it came from', async () => {
  const { uses, rows, runtime, pass } = ground();
  runtime.time += 1_000;
  for (let n = 0; n < 1_000; n++) uses.count(use({ principal: caller('alice') }));
  runtime.time += 30_000;
  uses.count(use({ address: '198.51.100.1' }));
  await pass(29_000);
  assert.equal(rows.length, 1);
  const { id, ...row } = rows[0]!;
  assert.match(id, /^evt_/);
  assert.deepEqual(row, {
    at: TEN + 60_000,
    action: 'credential.use',
    userId: 'usr_alice',
    credentialId: 'key_alice',
    address: '198.51.100.1',
    target: 'llm',
    detail: {
      count: 1_001,
      result: 'ok',
      rule: 'sign-in',
      grant: 'grt_1',
      first: '2027-03-01T10:00:01.000Z',
      last: '2027-03-01T10:00:31.000Z',
    },
  });
  await pass(60_000);
  assert.equal(rows.length, 1, 'a minute without calls has no row');
});

test('another caller, upstream, grant or end is another row; what sent no credential is none', async () => {
  const { uses, rows, pass } = ground();
  const key: Credential = { ...token, source: null };
  uses.count(use());
  uses.count(use({ principal: caller('bob') }));
  uses.count(use({ upstream: { ...own(), id: 'other' } }));
  uses.count(use({ credential: { ...token, source: { grantId: 'grt_2', version: 1 } } }));
  uses.count(use({ result: 'upstream_error' }));
  uses.count(use({ credential: key }));
  uses.count(
    use({ credential: key, upstream: { ...service({ use: 'key', ...staticKey('k') }), id: 'keyed' } }),
  );
  uses.count(use({ credential: null }));
  uses.count(use({ principal: null, upstream: null, credential: null }));
  await pass(60_000);
  assert.equal(rows.length, 7);
  assert.deepEqual(
    rows.filter(row => row.detail?.['grant'] === null).map(row => [row.target, row.detail?.['rule']]),
    [
      ['llm', 'fallback'],
      ['keyed', 'key'],
    ],
  );
  assert.doesNotMatch(JSON.stringify(rows), /canary/);
});

test('what was counted when the gateway ends is written', async () => {
  const { uses, rows } = ground();
  uses.count(use());
  await uses[Symbol.asyncDispose]();
  assert.deepEqual(
    rows.map(row => row.detail?.['count']),
    [1],
  );
});

test('a database that is away keeps rows waiting, and none is written twice', async () => {
  const { uses, rows, store, lines, pass } = ground();
  store.away = true;
  uses.count(use());
  await pass(60_000);
  assert.match(lines.join(''), /wait for the database/);
  store.away = false;
  uses.count(use());
  await pass(60_000);
  await uses[Symbol.asyncDispose]();
  assert.deepEqual(
    rows.map(row => [row.at, row.detail?.['count']]),
    [
      [TEN + 60_000, 1],
      [TEN + 120_000, 1],
    ],
  );
});
