import { hash } from 'node:crypto';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Secret } from '../platform/secret.ts';
import { embeddedKey, KEY_BYTES } from './embedded-key.ts';

/** A key that seals, and the name under which envelopes refer to it. */
export interface SealingKey {
  readonly kid: string;
  readonly bytes: Buffer;
}

/** Newest first: the first one seals, all of them open. */
export type Keyring = readonly [SealingKey, ...SealingKey[]];

/**
 * Reads one key: exactly 32 bytes in base64, base64url (padded or not; a Fernet key is one) or hexadecimal.
 * @throws AppError `config_invalid`; a key that is no key is never silently replaced
 */
export function parseKey(text: string, where: string): SealingKey {
  const trimmed = text.trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed)
    ? Buffer.from(trimmed, 'hex')
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)
      ? Buffer.from(trimmed, 'base64')
      : null;
  if (bytes === null || bytes.length !== KEY_BYTES) {
    throw new AppError(
      'config_invalid',
      `${where}: expected exactly ${KEY_BYTES} random bytes in base64 (44 characters) or hexadecimal (64); make them with: openssl rand -base64 ${KEY_BYTES}`,
    );
  }
  return { kid: kidOfKey(bytes), bytes };
}

/** A name that tells two keys apart and nothing about either. */
const kidOfKey = (bytes: Buffer): string =>
  hash('sha256', Buffer.concat([Buffer.from('sallyport kid\0'), bytes]), 'base64url').slice(0, 8);

/** The configured keys, newest first, or the embedded one where none is configured. @throws AppError `config_invalid` */
export function loadKeyring(deps: {
  keys: readonly Secret[];
  dataDir: string;
  runtime: Pick<Runtime, 'random'>;
  log: Logger;
}): Keyring {
  const { keys, dataDir, runtime, log } = deps;
  const [first, ...others] = keys.map((key, index) => parseKey(key.reveal(), `encryptionKey[${index}]`));
  if (first !== undefined) return [first, ...others];
  const { path, text } = embeddedKey(dataDir, bytes => runtime.random(bytes));
  const key = parseKey(text, path);
  log.warn(
    { path, kid: key.kid },
    'tokens are sealed with the embedded key: back it up with the database, and share it (option encryptionKey) before a second replica starts',
  );
  return [key];
}
