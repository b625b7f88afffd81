/**
 * Puts a fresh first page over what is on show. `gap` is true when the page does not reach the entries on show (or there were
 * none): what lies between was not fetched, so the old entries are dropped rather than shown as if nothing were missing.
 */
export function mergeNewest<T extends { id: string }>(
  page: readonly T[],
  shown: readonly T[],
): { entries: T[]; gap: boolean } {
  const overlap = shown.findIndex(entry => entry.id === page.at(-1)?.id);
  if (overlap === -1) return { entries: [...page], gap: true };
  return { entries: [...page, ...shown.slice(overlap + 1)], gap: false };
}
