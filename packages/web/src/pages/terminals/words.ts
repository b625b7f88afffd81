const LONGEST_TITLE = 80;

/** A title as a shell set it, which is to say as anybody may have: one short line without control or direction characters. */
export function titleWords(title: string): string {
  const plain = title.replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return plain.length > LONGEST_TITLE ? `${plain.slice(0, LONGEST_TITLE - 1)}…` : plain;
}

/** `1200` → `1 kB`: for people, not for sums. */
export function sizeWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
