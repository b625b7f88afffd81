import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { caller, HOUR, own, SECOND, service, staticKey, vaultGround } from '../../test/fixtures/vault.ts';
import { AppError } from '../platform/errors.ts';
import { commandLine } from '../terms/audit.ts';

const HERE = '203.0.113.7';

describe('a token for its own user’s program', () => {
  const released = own({ release: true });

  test('is released where the rule says so, with the seconds it lives, and the audit says to whom', async t => {
    const { vault, signIn, events } = await vaultGround(t);
    const grantId = await signIn('alice');
    assert.deepEqual(await vault.release(caller('alice'), released, HERE), {
      access_token: 'a-alice-1',
      token_type: 'Bearer',
      // An hour, less what a token may be on its way.
      expires_in: 3_590,
    });
    const event = events.at(-1)!;
    assert.deepEqual(event, {
      action: 'token.release',
      userId: 'usr_alice',
      credentialId: 'key_alice',
      address: HERE,
      target: 'llm',
      detail: { grant: grantId, version: 1 },
    });
    assert.doesNotMatch(JSON.stringify(events), /[ar]-alice-1/);
  });

  test('is fresh: one that has expired is refreshed first', async t => {
    const { vault, signIn, clock, provider } = await vaultGround(t);
    await signIn('alice');
    clock.advance(HOUR);
    assert.equal((await vault.release(caller('alice'), released, HERE)).access_token, 'a-alice-2');
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
  });

  test('is not released by any other rule, nor to nobody', async t => {
    const { vault, signIn, events } = await vaultGround(t);
    await signIn('alice');
    const stored = events.length;
    const alice = caller('alice');
    for (const upstream of [
      own(),
      service({ use: 'none' }),
      service({ use: 'key', ...staticKey('k') }),
      own({ fallback: staticKey('k') }),
    ])
      await assert.rejects(vault.release(alice, upstream, HERE), { code: 'forbidden', status: 403 });
    const nobody = caller('anonymous', null, { proof: 'anonymous' });
    await assert.rejects(vault.release(nobody, released, HERE), { code: 'forbidden' });
    assert.equal(events.length, stored);
  });

  test('is never a static key, whether there is no grant or one that has ended', async t => {
    const { vault, signIn, provider, clock, events } = await vaultGround(t);
    const rule = own({ release: true, fallback: staticKey('k') });
    await assert.rejects(vault.release(caller('alice'), rule, HERE), { code: 'credential_missing' });
    await signIn('alice');
    provider.revoke('r-alice-1');
    clock.advance(HOUR);
    await assert.rejects(vault.release(caller('alice'), rule, HERE), { code: 'reauth_required' });
    assert.equal((await vault.credentialFor(caller('alice'), rule))!.value, 'Bearer k');
    assert.ok(events.every(event => event.action !== 'token.release'));
  });
});

describe('a grant', () => {
  test('that a sign-in brought is sealed, listed without its tokens, and audited', async t => {
    const { vault, signIn, events, db, clock } = await vaultGround(t);
    const grantId = await signIn('alice', { scope: 'openid llm' });
    const [row] = await db.selectFrom('grants').selectAll().execute();
    assert.doesNotMatch(JSON.stringify(row), /[ar]-alice-1/);
    assert.deepEqual(await vault.grantsOf('usr_alice'), [
      {
        id: grantId,
        provider: 'corp',
        scope: 'openid llm',
        state: 'idle',
        expiresAt: clock.time + HOUR,
        refreshedAt: null,
        refreshResult: null,
        usedAt: clock.time,
        createdAt: clock.time,
      },
    ]);
    assert.deepEqual(await vault.grantsOf('usr_bob'), []);
    const { action, target, detail } = events.at(-1)!;
    assert.deepEqual(
      { action, target, detail },
      {
        action: 'grant.store',
        target: grantId,
        detail: { user: 'usr_alice', provider: 'corp', why: 'sign-in' },
      },
    );
  });

  test('with three tokens of 64 KB works, and is refreshed', async t => {
    const { vault, provider, clock } = await vaultGround(t);
    const huge = () => randomBytes(48 * 1_024).toString('base64url');
    const [access, id] = [huge(), huge()];
    const grantId = await vault.storeGrant({
      userId: 'usr_alice',
      provider: 'corp',
      subject: 'alice',
      kind: 'sign-in',
      tokens: { ...provider.issue('alice'), access_token: access, id_token: id },
      address: null,
    });
    const alice = caller('alice', grantId);
    assert.equal((await vault.credentialFor(alice, own()))!.value, `Bearer ${access}`);
    const next = huge();
    provider.fault = (_, res) =>
      void res
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ access_token: next, refresh_token: huge(), token_type: 'bearer' }));
    clock.advance(HOUR);
    assert.equal((await vault.credentialFor(alice, own()))!.value, `Bearer ${next}`);
  });

  test('that ends is gone here, revoked at its provider by its refresh token, and audited', async t => {
    const { vault, signIn, provider, events } = await vaultGround(t);
    const grantId = await signIn('alice');
    assert.equal(await vault.endGrant(grantId, commandLine), true);
    assert.deepEqual(await vault.grantsOf('usr_alice'), []);
    const [form] = provider.revoked;
    assert.deepEqual([form!.get('token'), form!.get('token_type_hint')], ['r-alice-1', 'refresh_token']);
    assert.equal(events.at(-1)!.action, 'grant.end');
    assert.equal(await vault.endGrant(grantId, commandLine), false);
    assert.equal(provider.revoked.length, 1);
  });

  test('without a refresh token is revoked by its access token', async t => {
    const { vault, provider } = await vaultGround(t);
    const { refresh_token: _, ...tokens } = provider.issue('bob');
    const grant = {
      userId: 'usr_bob',
      provider: 'corp',
      subject: 'bob',
      kind: 'sign-in',
      tokens,
      address: null,
    } as const;
    await vault.endGrant(await vault.storeGrant(grant), commandLine);
    const [form] = provider.revoked;
    assert.deepEqual([form!.get('token'), form!.get('token_type_hint')], ['a-bob-1', 'access_token']);
  });

  test('ends here whatever its provider says, and after five seconds of silence', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    provider.fault = provider.status(503);
    assert.equal(await vault.endGrant(await signIn('alice'), commandLine), true);
    let silent!: () => void;
    const asked = new Promise<void>(resolve => {
      silent = resolve;
    });
    provider.fault = () => silent();
    const ending = vault.endGrant(await signIn('alice'), commandLine);
    await asked;
    clock.advance(5 * SECOND);
    assert.equal(await ending, true);
    assert.deepEqual(await vault.grantsOf('usr_alice'), []);
  });
});

describe('a sealed row that was tampered with', () => {
  const cold = async (t: TestContext) => {
    const ground = await vaultGround(t);
    const alice = await ground.signIn('alice');
    const bob = await ground.signIn('bob');
    const row = (id: string) =>
      ground.db.selectFrom('grants').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    const set = (id: string, values: { envelope?: string; version?: number; user_id?: string }) =>
      ground.db.updateTable('grants').set(values).where('id', '=', id).execute();
    return { ...ground, alice, bob, row, set };
  };
  /** Closed, and without either token in what is said or logged of it. */
  const BROKEN = (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.deepEqual([error.code, error.status], ['seal_broken', 500]);
    assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /[ar]-(alice|bob)-\d/);
    return true;
  };

  test('fails closed when two rows have swapped their ciphertexts, for key and refresh too', async t => {
    const { vault, alice, bob, row, set, provider, clock } = await cold(t);
    const [ofAlice, ofBob] = [(await row(alice)).envelope, (await row(bob)).envelope];
    await set(alice, { envelope: ofBob });
    await set(bob, { envelope: ofAlice });
    const withKey = own({ fallback: staticKey('k'), release: true });
    for (const who of [caller('alice', alice), caller('bob', bob), caller('alice')]) {
      await assert.rejects(async () => vault.credentialFor(who, withKey), BROKEN);
      await assert.rejects(vault.release(who, withKey, HERE), BROKEN);
    }
    clock.advance(HOUR);
    await assert.rejects(async () => vault.credentialFor(caller('alice', alice), withKey), BROKEN);
    assert.deepEqual([provider.redeemed, provider.refused], [[], []]);
    // What cannot be opened can still be ended.
    assert.equal(await vault.endGrant(alice, commandLine), true);
    assert.deepEqual(provider.revoked, []);
  });

  test('fails closed when a row is given to another user', async t => {
    const { vault, alice, set } = await cold(t);
    await set(alice, { user_id: 'usr_bob' });
    await assert.rejects(async () => vault.credentialFor(caller('bob', alice), own()), BROKEN);
    await assert.rejects(async () => vault.credentialFor(caller('alice', alice), own()));
  });

  test('fails closed when the version is rolled back, or an old ciphertext is put under the new one', async t => {
    const { replica, vault, alice, row, set, clock } = await cold(t);
    const before = (await row(alice)).envelope;
    clock.advance(HOUR);
    await vault.credentialFor(caller('alice', alice), own());
    const after = await row(alice);
    assert.equal(after.version, 2);
    const fails = () =>
      assert.rejects(async () => replica().vault.credentialFor(caller('alice', alice), own()), BROKEN);
    await set(alice, { version: 1 });
    await fails();
    // The one that had it open notices at its next look.
    clock.advance(5 * SECOND);
    await assert.rejects(async () => vault.credentialFor(caller('alice', alice), own()), BROKEN);
    await set(alice, { version: 2, envelope: before });
    await fails();
    await set(alice, { envelope: after.envelope });
    assert.ok(await replica().vault.credentialFor(caller('alice', alice), own()));
  });
});
