/** Pieces up to this are put together, bytes: each by itself would take more room than what is in it, or keep alive all that it came with. */
const SMALL = 4_096;
const GATHERED = 16_384;
/** Handed on at once, bytes, or a piece more: whoever waits for room would else wait for each piece. */
const TAKEN = 48 * 1024;

/** What came for a reader who does not read at present: as much as its window lets come, and little more. */
export class Unread {
  #pieces: Buffer[] = [];
  /** What of the last piece is still free; null: it is not ours. */
  #free: Buffer | null = null;
  #filled = 0;

  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  put(piece: Buffer): void {
    if (piece.length > SMALL) {
      this.#seal();
      this.#pieces.push(piece);
      return;
    }
    if (this.#free !== null && this.#free.length - this.#filled < piece.length) this.#seal();
    if (this.#free === null) {
      this.#free = Buffer.allocUnsafeSlow(GATHERED);
      this.#filled = 0;
      this.#pieces.push(this.#free);
    }
    this.#filled += piece.copy(this.#free, this.#filled);
  }

  /** What came first, as much as is handed on at once; only where there is something. */
  take(): Buffer {
    let count = 0;
    let length = 0;
    while (count < this.#pieces.length && length < TAKEN) length += this.#pieces[count++]!.length;
    if (count === this.#pieces.length) this.#seal();
    const taken = this.#pieces.splice(0, count);
    return count === 1 ? taken[0]! : Buffer.concat(taken);
  }

  /** The last piece ends where it is filled. */
  #seal(): void {
    if (this.#free === null) return;
    this.#pieces[this.#pieces.length - 1] = this.#free.subarray(0, this.#filled);
    this.#free = null;
  }
}
