import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { migrate } from '../src/platform/db/migrate.ts';
import type { Probe } from '../src/vault/refresh-attempt.ts';
import type { RefreshOutcome } from '../src/vault/refresh-machine.ts';
import { placeOf, type Tokens } from '../src/vault/tokens.ts';
import { type Errand, openVault } from './fixtures/vault-child.ts';

const CHILD = fileURLToPath(new URL('./fixtures/vault-child.ts', import.meta.url));
const KEY = Buffer.alloc(32, 7).toString('base64');
const GRANT = 'grt_1';
/** Longer than a claim holds. */
const LATER = 61_000;

/** An authorization server whose refresh tokens are good for one use; with grace, the last one gives the same successor again. */
async function startProvider(t: TestContext, { grace }: { grace: boolean }) {
  let good = 'r1';
  let successors = 1;
  let last: string | null = null;
  let answer = '';
  const seen: string[] = [];
  const server = createServer(async (req, res) => {
    if (req.url === '/redeemed') {
      while (seen.length === 0) await once(server, 'redeemed');
      res.end();
      return;
    }
    const body = await req.setEncoding('utf8').reduce((text: string, chunk: string) => text + chunk, '');
    const token = new URLSearchParams(body).get('refresh_token')!;
    seen.push(token);
    const again = grace && token === last;
    if (token === good) {
      successors += 1;
      last = token;
      good = `r${successors}`;
      answer = JSON.stringify({
        access_token: `a${successors}`,
        refresh_token: good,
        token_type: 'bearer',
        expires_in: 3600,
      });
    } else if (!again) {
      // Reuse ends the whole family (RFC 9700 section 4.14.2).
      good = '';
    }
    const refused = good === '';
    res.writeHead(refused ? 400 : 200, { 'content-type': 'application/json' });
    res.end(refused ? '{"error":"invalid_grant"}' : answer);
    server.emit('redeemed');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function world(t: TestContext, options: { grace: boolean; lifetime: number }) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-crash-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const provider = await startProvider(t, options);
  const errand = {
    database: join(directory, 'test.db'),
    key: KEY,
    issuer: provider.issuer,
    ahead: 0,
    dies: null,
  };
  const here = openVault(errand);
  t.after(() => here.database[Symbol.asyncDispose]());
  await migrate(here.database);
  await sql`insert into users (id, groups, claimed_admin, local_admin, created_at) values ('usr_1', '[]', 0, 0, 0)`.execute(
    here.database.db,
  );
  const tokens: Tokens = { access_token: 'a1', refresh_token: 'r1' };
  await here.store.insert({
    id: GRANT,
    userId: 'usr_1',
    provider: 'corp',
    subject: 'alice',
    kind: 'sign-in',
    envelope: here.sealer.seal(JSON.stringify(tokens), placeOf({ userId: 'usr_1', id: GRANT, version: 1 })),
    kid: here.sealer.kid,
    scope: '',
    lifetime: options.lifetime,
    hasRefreshToken: true,
  });

  async function inAnotherProcess(more: Partial<Errand>) {
    const child = spawn(
      process.execPath,
      [CHILD, JSON.stringify({ ...errand, grantId: GRANT, wanting: 1, ...more })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let text = '';
    child.stdout.on('data', chunk => (text += chunk));
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { signal, outcome: text === '' ? null : (JSON.parse(text) as RefreshOutcome) };
  }

  return {
    ...here,
    provider,
    dies: async (at: Probe) => assert.equal((await inAnotherProcess({ dies: at })).signal, 'SIGKILL'),
    recover: async () => (await inAnotherProcess({ ahead: LATER })).outcome,
    async tokens(): Promise<Tokens> {
      const grant = (await here.store.read(GRANT))!;
      return JSON.parse(here.sealer.open(grant.envelope, placeOf(grant))) as Tokens;
    },
  };
}

const EXPIRED = { lifetime: -1_000 };

describe('a process that is killed in the middle of a refresh', { concurrency: 3 }, () => {
  for (const at of ['before-claim', 'after-claim'] as const) {
    test(`killed ${at}, a process has spent nothing: the next one redeems the same refresh token`, async t => {
      const { dies, recover, tokens, provider } = await world(t, { ...EXPIRED, grace: false });
      await dies(at);
      assert.deepEqual(provider.seen, []);
      assert.deepEqual(await recover(), { is: 'usable', version: 2 });
      assert.deepEqual(provider.seen, ['r1']);
      assert.deepEqual(await tokens(), { access_token: 'a2', refresh_token: 'r2' });
    });
  }

  for (const at of ['after-send', 'after-answer', 'before-commit'] as const) {
    test(`killed ${at}, a process has lost the answer: with reuse grace the next one gets it again`, async t => {
      const { dies, recover, tokens, provider } = await world(t, { ...EXPIRED, grace: true });
      await dies(at);
      assert.deepEqual(provider.seen, ['r1']);
      assert.deepEqual(await recover(), { is: 'usable', version: 2 });
      assert.deepEqual(await tokens(), { access_token: 'a2', refresh_token: 'r2' });
    });

    test(`killed ${at}, a process has lost the answer: without grace one retry finds out, and the user is told`, async t => {
      const { dies, recover, store, provider } = await world(t, { ...EXPIRED, grace: false });
      await dies(at);
      assert.deepEqual(await recover(), { is: 'reauth-required' });
      assert.deepEqual(provider.seen, ['r1', 'r1']);
      assert.equal((await store.read(GRANT))!.state, 'reauth_required');
      assert.deepEqual(await recover(), { is: 'reauth-required' });
      assert.equal(provider.seen.length, 2);
    });
  }

  test('killed after-commit, a process has lost nothing: the next one uses what is stored and asks nobody', async t => {
    const { dies, recover, tokens, provider } = await world(t, { ...EXPIRED, grace: false });
    await dies('after-commit');
    assert.deepEqual(await recover(), { is: 'usable', version: 2 });
    assert.deepEqual(provider.seen, ['r1']);
    assert.deepEqual(await tokens(), { access_token: 'a2', refresh_token: 'r2' });
  });

  test('while the access token lives, what a killed process has left keeps nobody from using it', async t => {
    const { dies, refresh, provider } = await world(t, { lifetime: 600_000, grace: false });
    await dies('after-send');
    const outcome = await refresh.run(GRANT, { wanting: 1, refused: false });
    assert.deepEqual(outcome, { is: 'usable', version: 1 });
    assert.deepEqual(provider.seen, ['r1']);
  });
});
