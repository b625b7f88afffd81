import { AppError } from '../platform/errors.ts';
import { type Audit, commandLine } from '../terms/audit.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import type { KeyringSealer } from './seal.ts';
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
      const envelope = sealedAnew(grant, sealer);
      if (envelope !== null && (await store.reseal(grant, envelope, sealer.kid))) resealed += 1;
    }
    deps.onProgress?.(resealed);
  }
  if (resealed > 0)
    deps.audit.record({ action: 'secrets.rotate', ...commandLine, detail: { resealed, kid: sealer.kid } });
  return resealed;
}

/** Null for what does not open: it stays as it is, and keeps no other from being resealed. `doctor` counts what lacks its key. */
function sealedAnew(grant: Grant, sealer: KeyringSealer): string | null {
  const place = placeOf(grant);
  try {
    return sealer.seal(sealer.open(grant.envelope, place), place);
  } catch (error) {
    if (error instanceof AppError && error.code === 'seal_broken') return null;
    throw error;
  }
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
