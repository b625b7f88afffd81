/** Seals small records at rest. The associated data binds a ciphertext to its place: opening it elsewhere throws. */
export interface Sealer {
  seal(plaintext: string, associatedData: string): string;
  /** @throws AppError `seal_broken` for a wrong key, place or tampered text. */
  open(envelope: string, associatedData: string): string;
  /** The same for bytes; a text is its UTF-8. */
  sealBytes(plaintext: Buffer, associatedData: string): string;
  /** @throws AppError `seal_broken` */
  openBytes(envelope: string, associatedData: string): Buffer;
}

/** One sealed record, wherever it is kept. */
export interface SealedRecord {
  readonly id: string;
  readonly envelope: string;
  /** Its associated data. */
  readonly place: string;
}

/** Where sealed records are kept: what a rotation of keys, and a look whether all can be opened, needs of it. */
export interface Shelf<R extends SealedRecord = SealedRecord> {
  /** Records with an id after `after` that another key than `kid` sealed, in the order of their ids. */
  sealedOtherwise(kid: string, after: string, limit: number): Promise<R[]>;
  /** The same record under another key, unless it was changed meanwhile. */
  reseal(record: R, envelope: string, kid: string): Promise<boolean>;
  /** The keys that records need, and how many need each. */
  kids(): Promise<{ kid: string; count: number }[]>;
}
