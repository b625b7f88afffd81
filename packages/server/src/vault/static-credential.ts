import type { Credential } from '../terms/credential.ts';
import type { StaticKey } from '../terms/upstream.ts';

const made = new WeakMap<StaticKey, Credential>();

/** A configured key as it goes out; made once. */
export function staticCredential(key: StaticKey): Credential {
  let credential = made.get(key);
  if (credential === undefined) {
    const secret = key.key.reveal();
    const value = key.scheme === '' ? secret : `${key.scheme} ${secret}`;
    credential = Object.freeze({
      header: key.header,
      value,
      expiresAt: Number.POSITIVE_INFINITY,
      source: null,
    });
    made.set(key, credential);
  }
  return credential;
}
