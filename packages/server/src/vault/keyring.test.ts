import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog } from '../platform/log.ts';
import { systemRuntime } from '../platform/runtime.ts';
import { Secret } from '../platform/secret.ts';
import { loadKeyring, parseKey } from './keyring.ts';

const BYTES = Buffer.from(Array.from({ length: 32 }, (_, n) => 255 - n * 3));

function world(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-keyring-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const lines: string[] = [];
  const log = createLog({ level: 'info', destination: { write: line => lines.push(line) } });
  return { keys: [], dataDir: join(directory, 'data'), runtime: systemRuntime, log, lines };
}

test('a key may be written in base64, base64url, without padding, or hexadecimal, and is the same key', () => {
  const forms = [
    BYTES.toString('base64'),
    BYTES.toString('base64').replace('=', ''),
    BYTES.toString('base64url'),
    `${BYTES.toString('base64url')}=`,
    BYTES.toString('hex'),
    ` ${BYTES.toString('hex').toUpperCase()}\n`,
  ];
  const kids = forms.map(form => {
    const key = parseKey(form, 'encryptionKey');
    assert.deepEqual(key.bytes, BYTES);
    return key.kid;
  });
  assert.equal(new Set(kids).size, 1);
});

test('a key that is short, long or malformed is refused with what was expected, and without its value', () => {
  const wrong = [
    '',
    'changeme',
    BYTES.subarray(1).toString('base64'),
    BYTES.subarray(1).toString('hex'),
    Buffer.concat([BYTES, BYTES]).toString('base64'),
    `${BYTES.toString('hex')}00`,
    `${BYTES.toString('base64').slice(0, 42)}!=`,
  ];
  for (const text of wrong) {
    assert.throws(
      () => parseKey(text, 'encryptionKey[0]'),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'config_invalid');
        assert.match(error.message, /^encryptionKey\[0\]: expected exactly 32 random bytes/);
        if (text !== '') assert.ok(!error.message.includes(text));
        return true;
      },
    );
  }
});

test('configured keys keep their order, and no file is made beside them', t => {
  const deps = world(t);
  const other = Buffer.alloc(32, 7);
  const ring = loadKeyring({
    ...deps,
    keys: [new Secret(BYTES.toString('hex')), new Secret(other.toString('base64'))],
  });
  assert.deepEqual(
    ring.map(key => key.bytes),
    [BYTES, other],
  );
  assert.throws(() => readdirSync(deps.dataDir), { code: 'ENOENT' });
});

test('the embedded key is made once, for its owner only, with a loud warning, and read again later', t => {
  const deps = world(t);
  const [made] = loadKeyring(deps);
  assert.equal(statSync(join(deps.dataDir, 'encryption.key')).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(deps.dataDir), ['encryption.key']);
  const [read] = loadKeyring(deps);
  assert.deepEqual(read, made);
  assert.equal(deps.lines.length, 2);
  assert.match(deps.lines[0]!, /"level":40.*second replica/);
  const written = readFileSync(join(deps.dataDir, 'encryption.key'), 'utf8').trim();
  assert.ok(!deps.lines.join('').includes(written));
});

test('an embedded key that others can read is refused', t => {
  const deps = world(t);
  loadKeyring(deps);
  chmodSync(join(deps.dataDir, 'encryption.key'), 0o640);
  assert.throws(() => loadKeyring(deps), { code: 'config_invalid', message: /chmod 600/ });
});

test('two processes that make the embedded key at the same moment end up with one key', t => {
  const deps = world(t);
  // The other process finishes between our look and our link.
  const random = (bytes: number) => {
    loadKeyring(deps);
    return systemRuntime.random(bytes);
  };
  const [mine] = loadKeyring({ ...deps, runtime: { random } });
  const [theirs] = loadKeyring(deps);
  assert.deepEqual(mine, theirs);
  assert.deepEqual(readdirSync(deps.dataDir), ['encryption.key']);
});
