import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { caller, HOUR, MINUTE, own, SECOND, vaultGround } from '../../test/fixtures/vault.ts';
import { commandLine } from '../terms/audit.ts';
import type { Credential } from '../terms/credential.ts';
import { usableUntil } from './lifetime.ts';

/** Something to wait for, and to let happen. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { open, opened };
}

describe('an access token that has expired', () => {
  test('is refreshed once for 1,000 concurrent calls, and none of them has the old one', async t => {
    const { vault, signIn, clock, provider } = await vaultGround(t);
    const grantId = await signIn('alice');
    const callers = [caller('alice', grantId), caller('alice')];
    await vault.credentialFor(callers[0]!, own());
    clock.advance(HOUR);
    const credentials = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => vault.credentialFor(callers[n % 2]!, own())),
    );
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
    assert.deepEqual(
      new Set(credentials.map(credential => credential!.value)),
      new Set(['Bearer a-alice-2']),
    );
    assert.deepEqual(provider.refused, []);
  });

  test('is refreshed once for two processes with 500 calls each', async t => {
    const { replica, signIn, clock, provider } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    const vaults = [replica().vault, replica().vault];
    clock.advance(HOUR);
    const credentials = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => vaults[n % 2]!.credentialFor(alice, own())),
    );
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
    assert.deepEqual(
      new Set(credentials.map(credential => credential!.value)),
      new Set(['Bearer a-alice-2']),
    );
  });

  test('is never handed out, at whatever moment somebody asks and whatever the provider does', async t => {
    const { vault, signIn, clock, provider, store } = await vaultGround(t);
    provider.expiresIn = 120;
    const grantId = await signIn('alice');
    const alice = caller('alice', grantId);
    let served = 0;
    for (let n = 0; n < 400; n++) {
      // Odd steps, so that every edge is met from both sides in time.
      clock.advance(1 + ((n * 7_919) % 13_000));
      provider.fault = n % 40 < 14 ? provider.status(502) : null;
      const asked = clock.time;
      const credential = await Promise.resolve(vault.credentialFor(alice, own())).catch(
        (error: { code: string }) => assert.equal(error.code, 'unavailable'),
      );
      if (!credential) continue;
      served++;
      assert.ok(credential.expiresAt > asked);
      const grant = (await store.read(grantId))!;
      if (credential.source!.version === grant.version) assert.ok(usableUntil(grant) > asked);
    }
    assert.ok(served > 200 && served < 400, `${served} of 400`);
    assert.ok(provider.redeemed.length > 10, `${provider.redeemed.length} redemptions of ${served}`);
    assert.deepEqual(provider.refused, []);
  });

  test('while the provider is down is a 503 that says when to come again, and works again afterwards', async t => {
    const { vault, signIn, clock, provider, store } = await vaultGround(t);
    const grantId = await signIn('alice');
    const alice = caller('alice', grantId);
    clock.advance(HOUR);
    provider.fault = provider.status(429, { 'retry-after': '60' });
    await assert.rejects(async () => vault.credentialFor(alice, own()), {
      code: 'unavailable',
      status: 503,
      headers: { 'retry-after': '60' },
      message: /Corp SSO/,
    });
    assert.equal((await store.read(grantId))!.state, 'idle');
    provider.fault = null;
    clock.advance(MINUTE);
    assert.equal((await vault.credentialFor(alice, own()))!.value, 'Bearer a-alice-2');
  });
});

describe('an access token that is due', () => {
  test('goes on being used without a wait while it is refreshed behind', async t => {
    const { vault, signIn, clock, provider } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    clock.advance(HOUR - MINUTE);
    const { open, opened } = gate();
    provider.held = opened;
    const values = await Promise.all(
      Array.from({ length: 100 }, async () => (await vault.credentialFor(alice, own()))!.value),
    );
    assert.deepEqual(new Set(values), new Set(['Bearer a-alice-1']));
    open();
    while (provider.redeemed.length === 0) await turn();
    let value = '';
    // The provider's answer is on its way to the row.
    while (value !== 'Bearer a-alice-2') {
      await turn();
      value = (await vault.credentialFor(alice, own()))!.value;
    }
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
  });

  test('is used until it expires when the provider fails, and nothing is lost', async t => {
    const { vault, signIn, clock, provider } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    provider.fault = provider.status(500);
    for (let n = 0; n < 10; n++) {
      clock.time += n === 0 ? HOUR - MINUTE : 5 * SECOND - 1;
      assert.equal((await vault.credentialFor(alice, own()))!.value, 'Bearer a-alice-1');
    }
    provider.fault = null;
    clock.advance(10 * MINUTE);
    assert.equal((await vault.credentialFor(alice, own()))!.value, 'Bearer a-alice-2');
  });
});

describe('a warm credential', () => {
  test('is no promise, and a minute of calls looks at the database at most every 2.5 seconds', async t => {
    const { vault, signIn, clock, looks } = await vaultGround(t);
    const callers = [caller('alice', await signIn('alice')), caller('alice')];
    for (const alice of callers) await vault.credentialFor(alice, own());
    looks.count = 0;
    for (let n = 0; n < 600; n++) {
      clock.advance(100);
      // The one look that a program's user costs, at the newest of their grants.
      if (n % 50 === 49) await vault.credentialFor(callers[1]!, own());
      for (const alice of callers) {
        const credential = vault.credentialFor(alice, own());
        assert.ok(!(credential instanceof Promise), `a promise after ${(n + 1) / 10} s`);
        assert.equal((credential as Credential).value, 'Bearer a-alice-1');
      }
      await turn();
    }
    assert.ok(looks.count <= 24 + 12, `${looks.count} looks`);
  });

  test('is gone the moment its grant is ended here', async t => {
    const { vault, signIn } = await vaultGround(t);
    const grantId = await signIn('alice');
    const alice = caller('alice', grantId);
    await vault.credentialFor(alice, own());
    const ended = vault.endGrant(grantId, commandLine);
    await ended;
    await assert.rejects(async () => vault.credentialFor(alice, own()), { code: 'credential_missing' });
  });

  test('is gone the moment the bus says so, though it was just being looked at', async t => {
    const { replica, signIn, vault: elsewhere } = await vaultGround(t);
    const grantId = await signIn('alice');
    const read = gate();
    const looked = gate();
    let slow = false;
    const { vault, bus } = replica({
      store: real => ({
        async read(id) {
          const row = await real.read(id);
          if (slow) {
            slow = false;
            looked.open();
            await read.opened;
          }
          return row;
        },
      }),
    });
    slow = true;
    const alice = caller('alice', grantId);
    const before = vault.credentialFor(alice, own());
    await looked.opened;
    await elsewhere.endGrant(grantId, commandLine);
    bus.publish({ topic: 'grant-changed', grantId, userId: 'usr_alice' });
    read.open();
    await before;
    await assert.rejects(async () => vault.credentialFor(alice, own()), { code: 'credential_missing' });
  });

  test('is gone within five seconds when the word of another process was lost', async t => {
    const { replica, signIn, clock, vault: elsewhere } = await vaultGround(t);
    const grantId = await signIn('alice');
    const { vault } = replica();
    for (const alice of [caller('alice', grantId), caller('alice')]) await vault.credentialFor(alice, own());
    await elsewhere.endGrant(grantId, commandLine);
    clock.advance(5 * SECOND);
    for (const alice of [caller('alice', grantId), caller('alice')])
      await assert.rejects(async () => vault.credentialFor(alice, own()), { code: 'credential_missing' });
  });

  test('outlives a database that is away for five seconds; then it is a 503', async t => {
    const { replica, signIn, clock } = await vaultGround(t);
    let away = false;
    const { vault } = replica({
      store: real => ({
        read: id => (away ? Promise.reject(new Error('connection lost')) : real.read(id)),
      }),
    });
    const alice = caller('alice', await signIn('alice'));
    await vault.credentialFor(alice, own());
    away = true;
    clock.advance(5 * SECOND - 1);
    assert.equal((await vault.credentialFor(alice, own()))!.value, 'Bearer a-alice-1');
    clock.advance(1);
    await assert.rejects(async () => vault.credentialFor(alice, own()), { code: 'unavailable' });
    away = false;
    assert.equal((await vault.credentialFor(alice, own()))!.value, 'Bearer a-alice-1');
  });

  test('notes that its grant is in use, once a minute', async t => {
    const { replica, signIn, clock } = await vaultGround(t);
    const grantId = await signIn('alice');
    let touches = 0;
    const { vault, store } = replica({
      store: real => ({
        touch: id => {
          touches++;
          return real.touch(id);
        },
      }),
    });
    for (let n = 0; n < 120; n++) {
      clock.advance(SECOND);
      await vault.credentialFor(caller('alice', grantId), own());
    }
    assert.equal(touches, 2);
    assert.ok((await store.read(grantId))!.usedAt >= clock.time - MINUTE);
  });
});

describe('a token that an upstream refuses', () => {
  test('is renewed once for 100 concurrent refusals, in each of two processes', async t => {
    const { replica, signIn, provider } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    const vaults = [replica().vault, replica().vault];
    const refused = (await vaults[0]!.credentialFor(alice, own()))!;
    const renewed = await Promise.all(
      Array.from({ length: 200 }, (_, n) => vaults[n % 2]!.renew(alice, own(), refused)),
    );
    assert.deepEqual(new Set(renewed.map(credential => credential?.value)), new Set(['Bearer a-alice-2']));
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
    assert.equal((await vaults[1]!.renew(alice, own(), refused))!.value, 'Bearer a-alice-2');
    assert.equal((await vaults[0]!.credentialFor(alice, own()))!.value, 'Bearer a-alice-2');
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
  });

  test('and whose successor is refused as well is not renewed for each call', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    for (let n = 0; n < 29; n++) {
      const refused = (await vault.credentialFor(alice, own()))!;
      await vault.renew(alice, own(), refused);
      clock.advance(SECOND);
    }
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
  });

  test('has no successor while the provider is down; it is not lost, and is renewed later', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    const refused = (await vault.credentialFor(alice, own()))!;
    provider.fault = (req, _res) => void req.socket.destroy();
    assert.equal(await vault.renew(alice, own(), refused), null);
    assert.equal((await vault.credentialFor(alice, own()))!.value, 'Bearer a-alice-1');
    provider.fault = null;
    clock.advance(5 * MINUTE);
    assert.equal((await vault.renew(alice, own(), refused))!.value, 'Bearer a-alice-2');
  });

  test('has no successor without a refresh token, after the grant has ended, or where it is no grant’s', async t => {
    const { vault, signIn, provider } = await vaultGround(t);
    const { refresh_token: _, ...classic } = provider.issue('bob');
    const grantId = await vault.storeGrant({
      userId: 'usr_bob',
      provider: 'corp',
      subject: 'bob',
      kind: 'sign-in',
      tokens: classic,
      address: null,
    });
    const bob = caller('bob', grantId);
    const ofBob = (await vault.credentialFor(bob, own()))!;
    assert.equal(await vault.renew(bob, own(), ofBob), null);
    const alice = caller('alice', await signIn('alice'));
    const ofAlice = (await vault.credentialFor(alice, own()))!;
    await vault.endGrant(ofAlice.source!.grantId, commandLine);
    assert.equal(await vault.renew(alice, own(), ofAlice), null);
    assert.equal(await vault.renew(alice, own(), { ...ofAlice, source: null }), null);
    assert.deepEqual(provider.redeemed, []);
  });

  test('and whose grant the provider has ended tells the next call to sign in again', async t => {
    const { vault, signIn, provider } = await vaultGround(t);
    const alice = caller('alice', await signIn('alice'));
    const refused = (await vault.credentialFor(alice, own()))!;
    provider.revoke('r-alice-1');
    assert.equal(await vault.renew(alice, own(), refused), null);
    await assert.rejects(async () => vault.credentialFor(alice, own()), { code: 'reauth_required' });
  });
});
