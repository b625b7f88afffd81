import { AppError } from '../platform/errors.ts';
import { type Audit, commandLine } from '../terms/audit.ts';
import type { SealedRecord, Shelf } from '../terms/sealer.ts';
import type { Grant } from './grant.ts';
import type { GrantStore } from './grant-store.ts';
import type { KeyringSealer } from './seal.ts';
import { placeOf } from './tokens.ts';

const BATCH = 100;

/**
 * Seals every grant, and what lies on other shelves, anew under the newest key, in batches, beside whatever else happens to them: one that
 * is refreshed meanwhile is under the newest key already. What was done stays done, so it can be stopped and started again.
 * @returns how many were resealed
 */
export async function rotate(deps: {
  store: Pick<GrantStore, 'sealedOtherwise' | 'reseal' | 'kids'>;
  shelves?: readonly Shelf[];
  sealer: KeyringSealer;
  audit: Audit;
  signal?: AbortSignal;
  onProgress?: (resealed: number) => void;
}): Promise<number> {
  const { sealer } = deps;
  let resealed = 0;
  for (const shelf of [shelfOf(deps.store), ...(deps.shelves ?? [])]) {
    let after = '';
    for (;;) {
      deps.signal?.throwIfAborted();
      const batch = await shelf.sealedOtherwise(sealer.kid, after, BATCH);
      if (batch.length === 0) break;
      for (const record of batch) {
        after = record.id;
        const envelope = sealedAnew(record, sealer);
        if (envelope !== null && (await shelf.reseal(record, envelope, sealer.kid))) resealed += 1;
      }
      deps.onProgress?.(resealed);
    }
  }
  if (resealed > 0)
    deps.audit.record({ action: 'secrets.rotate', ...commandLine, detail: { resealed, kid: sealer.kid } });
  return resealed;
}

function shelfOf(store: Pick<GrantStore, 'sealedOtherwise' | 'reseal' | 'kids'>): Shelf {
  const shelf: Shelf<Grant & SealedRecord> = {
    kids: store.kids,
    reseal: store.reseal,
    sealedOtherwise: async (...wanted) =>
      (await store.sealedOtherwise(...wanted)).map(grant => ({ ...grant, place: placeOf(grant) })),
  };
  return shelf;
}

/** Null for what does not open: it stays as it is, and keeps no other from being resealed. `doctor` counts what lacks its key. */
function sealedAnew({ envelope, place }: SealedRecord, sealer: KeyringSealer): string | null {
  try {
    return sealer.sealBytes(sealer.openBytes(envelope, place), place);
  } catch (error) {
    if (error instanceof AppError && error.code === 'seal_broken') return null;
    throw error;
  }
}

/** Keys that records need and that are not in the ring, and how many records each. */
export async function unreadable(
  shelves: readonly Pick<Shelf, 'kids'>[],
  sealer: KeyringSealer,
): Promise<{ kid: string; count: number }[]> {
  const needed = (await Promise.all(shelves.map(shelf => shelf.kids()))).flat();
  return needed.filter(({ kid }) => !sealer.kids.has(kid));
}

/**
 * Refuses to start where records are sealed by keys that are not in the ring: people would be told to sign in again, and the reason would
 * be found too late.
 * @throws AppError `config_invalid`
 */
export async function assertKeysPresent(
  shelves: readonly Pick<Shelf, 'kids'>[],
  sealer: KeyringSealer,
): Promise<void> {
  const absent = (await unreadable(shelves, sealer)).map(({ kid }) => kid);
  if (absent.length > 0) {
    throw new AppError(
      'config_invalid',
      `encryptionKey: stored grants or secrets were sealed by keys that are not here (${[...new Set(absent)].join(', ')}). Put the old key behind the new one, then: sallyport secrets rotate.`,
    );
  }
}
