/** Seals small records at rest. The associated data binds a ciphertext to its place: opening it elsewhere throws. */
export interface Sealer {
  seal(plaintext: string, associatedData: string): string;
  /** @throws AppError `seal_broken` for a wrong key, place or tampered text. */
  open(envelope: string, associatedData: string): string;
}
