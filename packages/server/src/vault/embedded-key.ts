import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../platform/errors.ts';

/** AES-256. */
export const KEY_BYTES = 32;

const FILE = 'encryption.key';

/**
 * The key of a gateway that was told none: made once, for this account's eyes only, and on disk before anything is sealed with it.
 * Several processes that start at once agree on the one that was first.
 * @throws AppError `config_invalid` when others may read it
 */
export function embeddedKey(
  dataDir: string,
  random: (bytes: number) => Buffer,
): { path: string; text: string } {
  const path = join(dataDir, FILE);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  if (!exists(path)) create(path, dataDir, random);
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new AppError(
      'config_invalid',
      `${path} can be read by others than its owner (mode ${mode.toString(8)}, expected 600): chmod 600 it; if somebody may have read it, put a new key before it (option encryptionKey) and run: sallyport secrets rotate`,
    );
  }
  return { path, text: readFileSync(path, 'utf8') };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Written whole under another name first: whoever finds the file finds all of it. A link, unlike a rename, replaces nobody's key. */
function create(path: string, dataDir: string, random: (bytes: number) => Buffer): void {
  const draft = `${path}.${random(6).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${random(KEY_BYTES).toString('base64')}\n`);
    fsyncSync(file);
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
  const directory = openSync(dataDir, 'r');
  fsyncSync(directory);
  closeSync(directory);
}
