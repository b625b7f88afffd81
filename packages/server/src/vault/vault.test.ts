import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  createTestVault,
  idTokenUntil,
  person,
  signIn,
  staticKey,
  upstream,
} from '../../test/fixtures/vault.ts';
import { AppError } from '../platform/errors.ts';
import type { RefreshAnswer } from './token-endpoint.ts';

const HOUR = 3_600_000;
const llm = upstream(signIn());
const FAILING: RefreshAnswer = { kind: 'transient', reason: 'status_503', retryAfter: null, underway: false };
const settled = async (times = 20) => {
  for (let n = 0; n < times; n++) await turn();
};

test('an upstream without a credential rule gets nothing, one with a key gets the key, at once', async t => {
  const { vault } = await createTestVault(t);
  assert.equal(vault.credentialFor(person(), upstream({ use: 'none' })), null);
  const keyed = upstream({ use: 'key', ...staticKey('k1') });
  assert.deepEqual(vault.credentialFor(person(), keyed), {
    header: 'authorization',
    value: 'Bearer k1',
    expiresAt: Number.POSITIVE_INFINITY,
    source: null,
  });
  const bare = upstream({ use: 'key', ...staticKey('k2'), header: 'x-api-key', scheme: '' });
  const { header, value } = (await vault.credentialFor(person(), bare))!;
  assert.deepEqual([header, value], ['x-api-key', 'k2']);
});

test('a session acts by the token it was born with, and from the second time on without a wait', async t => {
  const { vault, grant } = await createTestVault(t);
  const grantId = await grant();
  await grant({ access_token: 'later' });
  const me = person({ grantId });
  const first = await vault.credentialFor(me, llm);
  assert.deepEqual([first!.header, first!.value], ['authorization', 'Bearer a1']);
  assert.deepEqual(first!.source, { grantId, version: 1 });
  const second = vault.credentialFor(me, llm);
  assert.ok(!(second instanceof Promise));
  assert.equal(second, first);
});

test('a program acts by its user’s newest sign-in, of the provider that the rule names', async t => {
  const { vault, grant, clock } = await createTestVault(t);
  await grant({ access_token: 'corp' });
  clock.time += 1_000;
  await grant({ access_token: 'hub' }, { provider: 'hub' });
  const program = person({ proof: 'key', credentialId: 'key_1' });
  assert.equal((await vault.credentialFor(program, llm))!.value, 'Bearer hub');
  const corp = upstream(signIn({ provider: 'corp' }));
  assert.equal((await vault.credentialFor(program, corp))!.value, 'Bearer corp');
  assert.ok(!(vault.credentialFor(program, corp) instanceof Promise));
});

test('a session of one provider uses its user’s newest grant of another where the rule names that', async t => {
  const { vault, grant } = await createTestVault(t);
  const grantId = await grant({ access_token: 'corp' });
  await grant({ access_token: 'hub' }, { provider: 'hub' });
  const hub = upstream(signIn({ provider: 'hub' }));
  assert.equal((await vault.credentialFor(person({ grantId }), hub))!.value, 'Bearer hub');
  const other = upstream(signIn({ provider: 'other' }));
  await assert.rejects(async () => vault.credentialFor(person({ grantId }), other), {
    code: 'credential_missing',
    action: 'https://gate.example/auth/other/login',
  });
});

test('nobody gets a token of somebody else, by whatever grant id', async t => {
  const { vault, grant } = await createTestVault(t);
  const grantId = await grant({ access_token: 'bobs' }, { userId: 'usr_bob' });
  await vault.credentialFor(person({ userId: 'usr_bob', grantId }), llm);
  for (const who of [person({ grantId }), person(), person({ proof: 'anonymous', userId: 'anonymous' })]) {
    await assert.rejects(async () => vault.credentialFor(who, llm), { code: 'credential_missing' });
  }
});

test('where there is no grant the fallback key goes out, else a refusal says where to sign in', async t => {
  const { vault } = await createTestVault(t);
  const withKey = upstream(signIn({ fallback: staticKey('k1') }));
  for (const who of [person(), person({ proof: 'anonymous', userId: 'anonymous' })]) {
    assert.equal((await vault.credentialFor(who, withKey))!.value, 'Bearer k1');
    await assert.rejects(async () => vault.credentialFor(who, llm), {
      code: 'credential_missing',
      status: 401,
      action: 'https://gate.example/auth/login',
    });
  }
});

for (const [name, forwarding] of [
  ['switched off', { enabled: false, services: ['openai', 'tools', 'mcp', 'terminals'] as const }],
  ['limited to other services', { enabled: true, services: ['tools', 'mcp', 'terminals'] as const }],
] as const) {
  test(`forwarding ${name} is as if there were no grant`, async t => {
    const { vault, grant } = await createTestVault(t, { forwarding });
    const me = person({ grantId: await grant() });
    await assert.rejects(async () => vault.credentialFor(me, llm), {
      code: 'credential_missing',
      message: /switched off/,
    });
    const withKey = upstream(signIn({ fallback: staticKey('k1') }));
    assert.equal((await vault.credentialFor(me, withKey))!.value, 'Bearer k1');
    const tools = upstream(signIn(), { kind: 'http' });
    if (forwarding.enabled) assert.equal((await vault.credentialFor(me, tools))!.value, 'Bearer a1');
  });
}

test('1,000 calls with an expired token at once: one redemption, 1,000 answers, none with the old token', async t => {
  const { vault, grant, clock, sent } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  await vault.credentialFor(me, llm);
  clock.time += HOUR;
  const credentials = await Promise.all(
    Array.from({ length: 1_000 }, async () => vault.credentialFor(me, llm)),
  );
  assert.deepEqual([...new Set(credentials.map(credential => credential!.value))], ['Bearer a2']);
  assert.deepEqual(sent, ['r1']);
});

test('a token that is due goes on being used while a newer one is fetched, and nobody waits', async t => {
  const { vault, grant, clock, sent, answers } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  await vault.credentialFor(me, llm);
  clock.time += HOUR - 60_000;
  let answer!: (answer: RefreshAnswer) => void;
  answers.push(new Promise(resolve => (answer = resolve)));
  assert.equal((await vault.credentialFor(me, llm))!.value, 'Bearer a1');
  await settled();
  assert.deepEqual(sent, ['r1']);
  assert.equal((await vault.credentialFor(me, llm))!.value, 'Bearer a1');
  answer({ kind: 'tokens', tokens: { access_token: 'a2', refresh_token: 'r2', expires_in: 3_600 } });
  await settled();
  assert.equal((await vault.credentialFor(me, llm))!.value, 'Bearer a2');
  assert.deepEqual(sent, ['r1']);
});

test('while a provider fails a living token goes on being used; an expired one never, and 503 says when', async t => {
  const { vault, grant, clock, answers, sent } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  answers.push(...Array.from({ length: 100 }, () => FAILING));
  for (let left = 240_000; left > 20_000; left -= 20_000) {
    clock.time = Date.parse('2026-01-01T01:00:00Z') - left;
    assert.equal((await vault.credentialFor(me, llm))!.value, 'Bearer a1');
    await settled();
  }
  assert.ok(sent.length > 1);
  clock.time = Date.parse('2026-01-01T01:00:00Z');
  await assert.rejects(
    async () => vault.credentialFor(me, llm),
    (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual([error.code, error.status], ['unavailable', 503]);
      assert.ok(Number(error.headers['retry-after']) >= 1);
      return true;
    },
  );
});

test('a credential is never handed out beyond the end of its token, warm or not', async t => {
  const { vault, grant, clock } = await createTestVault(t);
  const me = person({ grantId: await grant({ expires_in: 8 }) });
  for (let n = 0; n < 200; n++) {
    const credential = (await vault.credentialFor(me, llm))!;
    assert.ok(credential.expiresAt > clock.time);
    clock.time += 500;
  }
});

test('a grant that its provider has ended is refused with the way to mend it, or the fallback goes out', async t => {
  const { vault, grant, clock, answers, sent } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  clock.time += HOUR;
  answers.push({ kind: 'invalid_grant' });
  for (let n = 0; n < 3; n++) {
    await assert.rejects(async () => vault.credentialFor(me, llm), {
      code: 'reauth_required',
      status: 401,
      action: 'https://gate.example/auth/corp/login',
    });
  }
  const withKey = upstream(signIn({ fallback: staticKey('k1') }));
  assert.equal((await vault.credentialFor(me, withKey))!.value, 'Bearer k1');
  assert.equal(sent.length, 1);
});

test('an ID token goes out where the rule says so, until it ends; then a newer one, else the access token', async t => {
  const { vault, grant, clock, answers, sent } = await createTestVault(t);
  const first = idTokenUntil(clock.time + 600_000);
  const second = idTokenUntil(clock.time + 1_200_000);
  const me = person({ grantId: await grant({ id_token: first }) });
  const docs = upstream(signIn({ token: 'id_token' }), { kind: 'openapi' });
  assert.equal((await vault.credentialFor(me, docs))!.value, `Bearer ${first}`);
  assert.ok((await vault.credentialFor(me, docs))!.expiresAt <= clock.time + 600_000);
  clock.time += 600_000;
  const tokens = { access_token: 'a2', refresh_token: 'r2', expires_in: 3_600 };
  answers.push({ kind: 'tokens', tokens: { ...tokens, id_token: second } });
  assert.equal((await vault.credentialFor(me, docs))!.value, `Bearer ${second}`);
  clock.time += 600_000;
  answers.push({ kind: 'tokens', tokens });
  assert.equal((await vault.credentialFor(me, docs))!.value, 'Bearer a2');
  // The last refresh brought no ID token: another one for its sake would not either.
  await vault.credentialFor(me, docs);
  assert.equal(sent.length, 2);
  const strict = upstream(signIn({ token: 'id_token', strict: true }));
  await assert.rejects(async () => vault.credentialFor(me, strict), { status: 401 });
});

test('an ended grant is over for the next call, and its provider is told of the refresh token', async t => {
  const { vault, grant, revoked, events } = await createTestVault(t);
  const grantId = await grant();
  const me = person({ grantId });
  await vault.credentialFor(me, llm);
  assert.equal(await vault.endGrant(grantId), true);
  await assert.rejects(async () => vault.credentialFor(me, llm), { code: 'credential_missing' });
  assert.deepEqual(revoked, ['refresh_token r1']);
  assert.equal(await vault.endGrant(grantId), false);
  assert.deepEqual(
    events.map(event => event.action),
    ['grant.store', 'grant.end'],
  );
});

test('a grant ends though its provider cannot be told', async t => {
  const { vault, grant, open, store } = await createTestVault(t);
  open.revoke = () => Promise.reject(new Error('away'));
  const grantId = await grant();
  assert.equal(await vault.endGrant(grantId), true);
  assert.equal(await store.read(grantId), null);
});

test('a grant that ends while it is being read is not remembered', async t => {
  let during: (() => Promise<unknown>) | null = null;
  const { vault, grant } = await createTestVault(t, {
    store: real => ({
      async read(id) {
        const row = await real.read(id);
        await during?.();
        return row;
      },
    }),
  });
  const grantId = await grant();
  const me = person({ grantId });
  during = () => {
    during = null;
    return vault.endGrant(grantId);
  };
  await Promise.resolve(vault.credentialFor(me, llm)).catch(() => {});
  await assert.rejects(async () => vault.credentialFor(me, llm), { code: 'credential_missing' });
});

test('what another process has ended is over here within five seconds, though its notice was lost', async t => {
  const { vault, grant, clock, store } = await createTestVault(t);
  const grantId = await grant();
  const me = person({ grantId });
  await vault.credentialFor(me, llm);
  await store.delete(grantId);
  clock.time += 5_000;
  await assert.rejects(async () => vault.credentialFor(me, llm), { code: 'credential_missing' });
});

test('a token that an upstream refuses is renewed once, however many calls were refused', async t => {
  const { vault, grant, sent } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  const refused = (await vault.credentialFor(me, llm))!;
  const renewed = await Promise.all(Array.from({ length: 200 }, () => vault.renew(me, llm, refused)));
  for (const credential of renewed) assert.equal(credential!.value, 'Bearer a2');
  assert.equal((await vault.renew(me, llm, refused))!.value, 'Bearer a2');
  assert.deepEqual(sent, ['r1']);
});

test('an upstream that refuses whatever it gets does not have its users’ tokens renewed at each call', async t => {
  const { vault, grant, sent } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  for (let n = 0; n < 10; n++) await vault.renew(me, llm, (await vault.credentialFor(me, llm))!);
  assert.ok(sent.length <= 2, `${sent.length} redemptions`);
});

test('where no newer token can be had a refusal stands, and the old token is not lost', async t => {
  const { vault, grant, answers, sent } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  const refused = (await vault.credentialFor(me, llm))!;
  answers.push(FAILING);
  assert.equal(await vault.renew(me, llm, refused), null);
  assert.equal((await vault.credentialFor(me, llm))!.value, 'Bearer a1');
  assert.deepEqual(sent, ['r1']);
  const keyed = upstream({ use: 'key', ...staticKey('k1') });
  assert.equal(await vault.renew(me, keyed, (await vault.credentialFor(me, keyed))!), null);
});

test('two grants whose ciphertexts were swapped both fail closed, and neither token is in the error', async t => {
  const { vault, grant, store, sealer } = await createTestVault(t);
  const ids = [await grant({ access_token: 'canary-1' }), await grant({ access_token: 'canary-2' })];
  const [a, b] = [(await store.read(ids[0]!))!, (await store.read(ids[1]!))!];
  await store.reseal(a, b.envelope, sealer.kid);
  await store.reseal(b, a.envelope, sealer.kid);
  for (const grantId of ids) {
    await assert.rejects(
      async () => vault.credentialFor(person({ grantId }), llm),
      (error: unknown) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, 'seal_broken');
        assert.ok(!`${error.stack} ${String(error.cause)}`.includes('canary'));
        return true;
      },
    );
  }
});

test('a token is released to its own user’s program where the rule says so, and never a static key', async t => {
  const { vault, grant, events } = await createTestVault(t);
  const me = person({ grantId: await grant() });
  const released = upstream(signIn({ release: true, fallback: staticKey('k1') }));
  assert.deepEqual(await vault.release(me, released), {
    access_token: 'a1',
    token_type: 'Bearer',
    expires_in: 3_590,
  });
  const last = events.at(-1)!;
  assert.deepEqual([last.action, last.userId, last.target], ['token.release', 'usr_alice', 'llm']);
  assert.ok(!JSON.stringify(events).includes('a1'));
  await assert.rejects(vault.release(person({ userId: 'usr_bob' }), released), {
    code: 'credential_missing',
  });
  for (const closed of [llm, upstream({ use: 'none' }), upstream({ use: 'key', ...staticKey('k1') })])
    await assert.rejects(vault.release(me, closed), { code: 'forbidden' });
});

test('what people see of their grants holds no token and no envelope', async t => {
  const { vault, grant } = await createTestVault(t);
  const id = await grant({ scope: 'openid' });
  await grant({}, { userId: 'usr_bob' });
  const grants = await vault.grantsOf('usr_alice');
  assert.deepEqual(
    grants.map(({ id, provider, scope, state }) => ({ id, provider, scope, state })),
    [{ id, provider: 'corp', scope: 'openid', state: 'idle' }],
  );
  assert.ok(!('envelope' in grants[0]!));
});
