import { createCipheriv, createDecipheriv } from 'node:crypto';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Keyring } from './keyring.ts';

const ALGORITHM = 'aes-256-gcm';
const KEY = 32;
const NONCE = 12;
const TAG = 16;
const VERSION = 's1';

export interface KeyringSealer extends Sealer {
  /** Of the key that seals from now on. */
  readonly kid: string;
  readonly kids: ReadonlySet<string>;
}

/**
 * AES-256-GCM (NIST SP 800-38D) with a random data key for each record, wrapped by the ring's newest key. An envelope is
 * `s1.KID.WRAPPED.SEALED`; both layers are bound to the associated data and the key's name, so neither opens in another place.
 */
export function createSealer(ring: Keyring, runtime: Pick<Runtime, 'random'>): KeyringSealer {
  const newest = ring[0];
  const byKid = new Map(ring.map(key => [key.kid, key.bytes]));

  const encrypt = (key: Buffer, plain: Buffer, bound: Buffer): Buffer => {
    const nonce = runtime.random(NONCE);
    const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG }).setAAD(bound);
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  };

  function sealBytes(plaintext: Buffer, associatedData: string): string {
    const bound = bind(newest.kid, associatedData);
    const dataKey = runtime.random(KEY);
    const wrapped = encrypt(newest.bytes, dataKey, bound);
    const sealed = encrypt(dataKey, plaintext, bound);
    return [VERSION, newest.kid, wrapped.toString('base64url'), sealed.toString('base64url')].join('.');
  }

  function openBytes(envelope: string, associatedData: string): Buffer {
    const { kid, wrapped, sealed } = parse(envelope);
    const key = byKid.get(kid);
    if (key === undefined) throw broken(`the key ${kid} that sealed it is not in encryptionKey`);
    const bound = bind(kid, associatedData);
    return decrypt(decrypt(key, wrapped, bound), sealed, bound);
  }

  return {
    kid: newest.kid,
    kids: new Set(byKid.keys()),
    sealBytes,
    openBytes,
    seal: (plaintext, associatedData) => sealBytes(Buffer.from(plaintext, 'utf8'), associatedData),
    open: (envelope, associatedData) => openBytes(envelope, associatedData).toString('utf8'),
  };
}

/** Which key of the ring an envelope needs. */
export const kidOf = (envelope: string): string => parse(envelope).kid;

function parse(envelope: string): { kid: string; wrapped: Buffer; sealed: Buffer } {
  const [version, kid, wrapped, sealed, more] = envelope.split('.');
  if (version !== VERSION || !kid || !wrapped || !sealed || more !== undefined)
    throw broken('it is no envelope of this version');
  return { kid, wrapped: Buffer.from(wrapped, 'base64url'), sealed: Buffer.from(sealed, 'base64url') };
}

const bind = (kid: string, associatedData: string): Buffer =>
  Buffer.from(`${VERSION}\0${kid}\0${associatedData}`, 'utf8');

function decrypt(key: Buffer, box: Buffer, bound: Buffer): Buffer {
  if (box.length < NONCE + TAG) throw broken('it is cut short');
  try {
    const decipher = createDecipheriv(ALGORITHM, key, box.subarray(0, NONCE), { authTagLength: TAG }).setAAD(
      bound,
    );
    decipher.setAuthTag(box.subarray(box.length - TAG));
    return Buffer.concat([decipher.update(box.subarray(NONCE, box.length - TAG)), decipher.final()]);
  } catch (cause) {
    throw broken('it was changed, or belongs elsewhere', cause);
  }
}

const broken = (why: string, cause?: unknown) =>
  new AppError('seal_broken', `A sealed record cannot be opened: ${why}.`, { cause });
