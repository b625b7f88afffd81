import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  caller,
  HOUR,
  idToken,
  MINUTE,
  own,
  SECOND,
  service,
  staticKey,
  vaultGround,
} from '../../test/fixtures/vault.ts';

const SIGN_IN = 'https://gate.corp.example/auth/corp/login';

describe('the credential that an upstream receives', () => {
  test('by the rule none is nothing, and by the rule key the configured key, in the header it names', async t => {
    const { vault } = await vaultGround(t);
    const alice = caller('alice');
    assert.equal(vault.credentialFor(alice, service({ use: 'none' })), null);
    const bearer = vault.credentialFor(alice, service({ use: 'key', ...staticKey('k1') }));
    assert.deepEqual(bearer, {
      header: 'authorization',
      value: 'Bearer k1',
      expiresAt: Number.POSITIVE_INFINITY,
      source: null,
    });
    const bare = staticKey('k2', { header: 'x-api-key', scheme: '' });
    const credential = await vault.credentialFor(alice, service({ use: 'key', ...bare }));
    assert.deepEqual([credential!.header, credential!.value], ['x-api-key', 'k2']);
  });

  test('is the user’s own token, with the grant and version it came from', async t => {
    const { vault, signIn } = await vaultGround(t);
    const grantId = await signIn('alice');
    await signIn('bob');
    const credential = await vault.credentialFor(caller('alice'), own());
    assert.equal(credential!.value, 'Bearer a-alice-1');
    assert.deepEqual(credential!.source, { grantId, version: 1 });
  });

  test('a session acts by the grant it was born with, a program by its user’s newest', async t => {
    const { vault, signIn, clock } = await vaultGround(t);
    const older = await signIn('alice', { access_token: 'older' });
    clock.advance(SECOND);
    await signIn('alice', { access_token: 'newer' });
    const ofSession = await vault.credentialFor(caller('alice', older), own());
    const ofProgram = await vault.credentialFor(caller('alice'), own());
    assert.deepEqual([ofSession!.value, ofProgram!.value], ['Bearer older', 'Bearer newer']);
  });

  test('a program that called before its user signed in again uses the new grant at once', async t => {
    const { vault, signIn, clock } = await vaultGround(t);
    await assert.rejects(async () => vault.credentialFor(caller('alice'), own()), {
      code: 'credential_missing',
    });
    await signIn('alice', { access_token: 'first' });
    assert.equal((await vault.credentialFor(caller('alice'), own()))!.value, 'Bearer first');
    clock.advance(SECOND);
    await signIn('alice', { access_token: 'second' });
    assert.equal((await vault.credentialFor(caller('alice'), own()))!.value, 'Bearer second');
  });

  test('a look at the grants that a sign-in overtakes is not what counts afterwards', async t => {
    const { replica, signIn, bus: signInBus } = await vaultGround(t);
    let found!: () => void;
    const slow = new Promise<void>(resolve => {
      found = resolve;
    });
    let looking!: () => void;
    const looked = new Promise<void>(resolve => {
      looking = resolve;
    });
    const { vault, bus } = replica({
      store: real => ({
        async newest(userId, provider) {
          const row = await real.newest(userId, provider);
          looking();
          await slow;
          return row;
        },
      }),
    });
    signInBus.subscribe(notice => bus.publish(notice));
    const before = Promise.resolve(vault.credentialFor(caller('alice'), own()));
    before.catch(() => {});
    await looked;
    await signIn('alice');
    found();
    await assert.rejects(before, { code: 'credential_missing' });
    assert.equal((await vault.credentialFor(caller('alice'), own()))!.value, 'Bearer a-alice-1');
  });

  test('a session whose grant belongs to somebody else, or is gone, has none', async t => {
    const { vault, signIn } = await vaultGround(t);
    const grantId = await signIn('alice');
    for (const mallory of [caller('bob', grantId), caller('bob', 'grt_none')])
      await assert.rejects(async () => vault.credentialFor(mallory, own()), { code: 'credential_missing' });
  });

  test('a rule that names a provider takes the grant of that provider only', async t => {
    const { vault, signIn } = await vaultGround(t);
    const corp = await signIn('alice', { access_token: 'corp' });
    const session = caller('alice', corp);
    await assert.rejects(async () => vault.credentialFor(session, own({ provider: 'other' })), {
      code: 'credential_missing',
      action: 'https://gate.corp.example/auth/other/login',
    });
    await signIn('alice', { access_token: 'other', provider: 'other' });
    for (const [provider, value] of [
      ['corp', 'Bearer corp'],
      ['other', 'Bearer other'],
    ] as const) {
      for (const who of [session, caller('alice')])
        assert.equal((await vault.credentialFor(who, own({ provider })))!.value, value);
    }
  });

  test('without a grant it is the fallback key, and without that a refusal that says where to sign in', async t => {
    const { vault } = await vaultGround(t);
    for (const who of [caller('alice'), caller('anonymous', null, { proof: 'anonymous' })]) {
      const instead = await vault.credentialFor(who, own({ fallback: staticKey('k') }));
      assert.equal(instead!.value, 'Bearer k');
      await assert.rejects(async () => vault.credentialFor(who, own({ provider: 'corp' })), {
        code: 'credential_missing',
        status: 401,
        action: SIGN_IN,
      });
      await assert.rejects(async () => vault.credentialFor(who, own()), {
        code: 'credential_missing',
        action: 'https://gate.corp.example/auth/login',
      });
    }
  });

  test('where forwarding is off, or not for this kind, nobody’s token goes out', async t => {
    const { replica, signIn } = await vaultGround(t);
    await signIn('alice');
    for (const [forwarding, kind] of [
      [{ enabled: false, services: ['openai', 'tools', 'mcp', 'terminals'] }, 'openai'],
      [{ enabled: true, services: ['openai', 'mcp'] }, 'openapi'],
      [{ enabled: true, services: ['openai', 'mcp'] }, 'http'],
      [{ enabled: true, services: ['tools'] }, 'terminal'],
    ] as const) {
      const { vault, looks } = replica({ forwarding });
      const alice = caller('alice');
      const instead = await vault.credentialFor(alice, own({ fallback: staticKey('k') }, kind));
      assert.equal(instead!.value, 'Bearer k');
      await assert.rejects(async () => vault.credentialFor(alice, own({}, kind)), {
        code: 'credential_missing',
        message: /forwarding is switched off/,
      });
      assert.equal(looks.count, 0);
    }
    const { vault } = replica({ forwarding: { enabled: true, services: ['tools'] } });
    assert.equal((await vault.credentialFor(caller('alice'), own({}, 'http')))!.value, 'Bearer a-alice-1');
  });

  test('a grant that the provider has ended is like none: the key, or a refusal that says where to sign in', async t => {
    const { vault, signIn, provider, clock, grantState } = await withState(t);
    const grantId = await signIn('alice');
    provider.revoke('r-alice-1');
    clock.advance(HOUR);
    await assert.rejects(async () => vault.credentialFor(caller('alice', grantId), own()), {
      code: 'reauth_required',
      status: 401,
      action: SIGN_IN,
      message: /Corp SSO/,
    });
    assert.equal(await grantState(grantId), 'reauth_required');
    const instead = await vault.credentialFor(caller('alice', grantId), own({ fallback: staticKey('k') }));
    assert.equal(instead!.value, 'Bearer k');
    assert.deepEqual(provider.refused, ['r-alice-1']);
  });

  test('a program whose user’s newest grant has ended uses the one that has not', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    await signIn('bob', { access_token: 'still good', refresh_token: 'none', expires_in: 10 * 3_600 });
    clock.advance(SECOND);
    const newest = await signIn('bob');
    provider.revoke('r-bob-1');
    clock.advance(HOUR);
    const session = caller('bob', newest);
    await assert.rejects(async () => vault.credentialFor(session, own()), { code: 'reauth_required' });
    assert.equal((await vault.credentialFor(caller('bob'), own()))!.value, 'Bearer still good');
  });
});

describe('the ID token', () => {
  test('goes out where the rule says so, and each token stands in for a missing other', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    const id = idToken(provider.issuer, 'alice', clock.time + HOUR);
    const withBoth = caller('alice', await signIn('alice', { id_token: id }));
    const without = caller('bob', await signIn('bob'));
    const rule = own({ token: 'id_token' }, 'openapi');
    assert.equal((await vault.credentialFor(withBoth, rule))!.value, `Bearer ${id}`);
    assert.equal((await vault.credentialFor(without, rule))!.value, 'Bearer a-bob-1');
    const strict = own({ token: 'id_token', strict: true }, 'openapi');
    assert.equal((await vault.credentialFor(withBoth, strict))!.value, `Bearer ${id}`);
    await assert.rejects(async () => vault.credentialFor(without, strict), {
      code: 'reauth_required',
      action: SIGN_IN,
    });
  });

  test('that has expired is renewed with its grant, by one redemption for 100 callers', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    provider.idTokenLife = 10 * MINUTE;
    const alice = caller('alice', await signIn('alice'));
    const rule = own({ token: 'id_token', strict: true });
    const old = await vault.credentialFor(alice, rule);
    clock.advance(10 * MINUTE);
    const values = await Promise.all(
      Array.from({ length: 100 }, async () => (await vault.credentialFor(alice, rule))!.value),
    );
    assert.equal(new Set(values).size, 1);
    assert.notEqual(values[0], old!.value);
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
  });

  test('that the provider does not renew is replaced by the access token, or asked for at the next sign-in', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    provider.idTokenLife = 10 * MINUTE;
    const alice = caller('alice', await signIn('alice'));
    provider.idTokenLife = 0;
    clock.advance(10 * MINUTE);
    const renewed = await vault.credentialFor(alice, own({ token: 'id_token' }));
    assert.equal(renewed!.value, 'Bearer a-alice-2');
    await assert.rejects(async () => vault.credentialFor(alice, own({ token: 'id_token', strict: true })), {
      code: 'reauth_required',
    });
    assert.deepEqual(provider.redeemed, ['r-alice-1']);
  });

  test('that cannot be renewed because the provider is down is waited for: nobody is told to sign in again', async t => {
    const { vault, signIn, provider, clock } = await vaultGround(t);
    provider.idTokenLife = 10 * MINUTE;
    const alice = caller('alice', await signIn('alice'));
    clock.advance(10 * MINUTE);
    provider.fault = provider.status(503);
    const strict = own({ token: 'id_token', strict: true });
    await assert.rejects(async () => vault.credentialFor(alice, strict), {
      code: 'unavailable',
      status: 503,
    });
    provider.fault = null;
    clock.advance(HOUR / 2);
    assert.ok(await vault.credentialFor(alice, strict));
  });
});

async function withState(t: Parameters<typeof vaultGround>[0]) {
  const ground = await vaultGround(t);
  return { ...ground, grantState: async (id: string) => (await ground.store.read(id))?.state };
}
