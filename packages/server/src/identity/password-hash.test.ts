import assert from 'node:assert/strict';
import { argon2Sync } from 'node:crypto';
import { test } from 'node:test';
import { systemRuntime } from '../platform/runtime.ts';
import { createPasswordHashing } from './password-hash.ts';
import { refuseWeakPassword } from './password-rules.ts';

/** So little that a test may hash by the dozen. */
const CHEAP = { memory: 64, passes: 1, parallelism: 1 };
const cheap = () => createPasswordHashing({ runtime: systemRuntime, cost: CHEAP });

test('a password is stored as argon2id says it should be, under a salt of its own, and only it opens', async () => {
  const hashing = createPasswordHashing({ runtime: systemRuntime });
  const stored = await hashing.hash('correct horse battery');
  assert.match(stored, /^\$argon2id\$v=19\$m=47104,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(stored, await hashing.hash('correct horse battery'));
  assert.deepEqual(await hashing.verify('correct horse battery', stored), { matches: true, stale: false });
  assert.deepEqual(await hashing.verify('correct horse batterz', stored), { matches: false, stale: false });
});

test('a hash that another program wrote at another cost opens, and is known as stale', async () => {
  const message = 'correct horse battery';
  const nonce = Buffer.from('a salt of sixteen');
  const tag = argon2Sync('argon2id', {
    message,
    nonce,
    memory: 128,
    passes: 3,
    parallelism: 2,
    tagLength: 24,
  });
  const written = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  const stored = `$argon2id$v=19$m=128,t=3,p=2$${written(nonce)}$${written(tag)}`;
  assert.deepEqual(await cheap().verify(message, stored), { matches: true, stale: true });
  await assert.rejects(cheap().verify(message, '$2b$12$bcrypt'), { code: 'internal' });
});

test('however a keyboard composes a character, it is the same password', async () => {
  const hashing = cheap();
  const stored = await hashing.hash('caf\u00e9 au lait chaud');
  assert.ok((await hashing.verify('cafe\u0301 au lait chaud', stored)).matches);
});

test('where there is no account the same work is done, and nothing matches', async () => {
  const hashing = createPasswordHashing({ runtime: systemRuntime });
  const stored = await hashing.hash('correct horse battery');
  /** Of this process alone, in microseconds: what the machine does besides does not count. */
  const work = async (against: string | null) => {
    const before = process.cpuUsage();
    assert.equal((await hashing.verify('another password', against)).matches, false);
    return process.cpuUsage(before).user;
  };
  const least = { known: Number.POSITIVE_INFINITY, nobody: Number.POSITIVE_INFINITY };
  for (let n = 0; n < 3; n++) {
    least.known = Math.min(least.known, await work(stored));
    least.nobody = Math.min(least.nobody, await work(null));
  }
  assert.ok(least.nobody > least.known / 2 && least.nobody < least.known * 2, JSON.stringify(least));
});

test('of a flood a few are hashed, some wait, and the rest is sent away at once', async () => {
  const hashing = cheap();
  const all = await Promise.allSettled(Array.from({ length: 100 }, () => hashing.verify('x', null)));
  const refused = all.filter(one => one.status === 'rejected');
  assert.equal(refused.length, 68);
  for (const { reason } of refused) {
    assert.equal(reason.code, 'unavailable');
    assert.equal(reason.headers['retry-after'], '2');
  }
  assert.equal((await hashing.verify('x', null)).matches, false, 'and then it goes on');
});

test('a short password, one of few characters, and one made of known words are refused; others are not', () => {
  const person = { email: 'alice.moreau@corp.example', name: 'Alice Moreau' };
  const said = (password: string) => {
    try {
      refuseWeakPassword(password, person);
      return 'good';
    } catch (error) {
      assert.ok(!(error as Error).message.includes(password));
      return (error as Error).message;
    }
  };
  assert.match(said('elevenchars'), /12 characters/);
  assert.match(said('👍🏽👍🏽👍🏽'), /12 characters/);
  assert.match(said('aaaaaaaaaaaaaaaa'), /repeats/);
  assert.match(said('alice.moreau@corp.example'), /name or address/);
  assert.match(said('AliceMoreau2027'), /name or address/);
  assert.match(said('Sallyport-Alice-1'), /name or address/);
  for (const password of ['four unrelated short words', 'moreau likes 7 green owls', '  spaces count too  '])
    assert.equal(said(password), 'good', password);
});
