import { AppError } from '../platform/errors.ts';
import type { Audit } from '../terms/audit.ts';
import type { GrantStore } from './grant-store.ts';
import { type KeyringSealer, kidOf } from './seal.ts';
import { placeOf } from './tokens.ts';

const BATCH = 100;

/**
 * Seals every grant anew under the newest key, in batches, beside whatever else happens to them: one that is refreshed meanwhile is
 * under the newest key already. What was done stays done, so it can be stopped and started again.
 * @returns how many were resealed
 */
export async function rotate(deps: {
  store: GrantStore;
  sealer: KeyringSealer;
  audit: Audit;
  signal?: AbortSignal;
  onProgress?: (resealed: number) => void;
}): Promise<number> {
  const { store, sealer, signal } = deps;
  let resealed = 0;
  let after = '';
  for (;;) {
    signal?.throwIfAborted();
    const batch = await store.sealedOtherwise(sealer.kid, after, BATCH);
    if (batch.length === 0) break;
    for (const grant of batch) {
      after = grant.id;
      // What no key of the ring opens stays as it is; `doctor` counts it.
      if (!sealer.kids.has(kidOf(grant.envelope))) continue;
      const place = placeOf(grant);
      const envelope = sealer.seal(sealer.open(grant.envelope, place), place);
      if (await store.reseal(grant, envelope, sealer.kid)) resealed += 1;
    }
    deps.onProgress?.(resealed);
  }
  if (resealed > 0)
    deps.audit.record({ action: 'secrets.rotate', userId: null, detail: { resealed, kid: sealer.kid } });
  return resealed;
}

/**
 * Refuses to start where grants are sealed by keys that are not in the ring: their users would be told to sign in again, and the reason would
 * be found too late.
 * @throws AppError `config_invalid`
 */
export async function assertKeysPresent(store: GrantStore, sealer: KeyringSealer): Promise<void> {
  const absent = (await store.kids()).map(({ kid }) => kid).filter(kid => !sealer.kids.has(kid));
  if (absent.length > 0) {
    throw new AppError(
      'config_invalid',
      `encryptionKey: stored grants were sealed by keys that are not here (${absent.join(', ')}). Put the old key behind the new one, then: sallyport secrets rotate.`,
    );
  }
}
