/** Small pieces are gathered into blocks of this size, bytes. */
const BLOCK = 16 * 1024;

interface Block {
  /** Number of its first byte. */
  readonly start: number;
  readonly bytes: Buffer;
  used: number;
}

/**
 * The last bytes that a terminal has printed, numbered from its beginning. What was written is never written over, so that a part of it may
 * be on its way to several clients while more comes.
 */
export class OutputWindow {
  readonly #size: number;
  #blocks: Block[] = [];
  /** Number of the byte that comes next. */
  end = 0;

  /** @param size bytes that are kept at least, once as many came */
  constructor(size: number) {
    this.#size = size;
  }

  /** Number of the oldest byte that is kept. */
  get start(): number {
    return this.#blocks[0]?.start ?? this.end;
  }

  append(chunk: Buffer): void {
    let rest = chunk;
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.used < last.bytes.length && chunk.length < BLOCK) {
      const taken = rest.copy(last.bytes, last.used);
      last.used += taken;
      this.end += taken;
      rest = rest.subarray(taken);
    }
    if (rest.length >= BLOCK) this.#add(rest, rest.length);
    else if (rest.length > 0) {
      // The first is small: most terminals that wait for somebody have printed a prompt and nothing else.
      const block = Buffer.allocUnsafeSlow(
        this.#blocks.length === 0 && rest.length < BLOCK / 8 ? BLOCK / 8 : BLOCK,
      );
      rest.copy(block);
      this.#add(block, rest.length);
    }
    while (this.#blocks.length > 1 && this.end - this.#blocks[1]!.start >= this.#size) this.#blocks.shift();
  }

  /**
   * What stands there, in one piece, though it may not be all of it.
   * @param from between `start` and `end`
   */
  read(from: number): Buffer {
    for (let at = this.#blocks.length - 1; at >= 0; at--) {
      const { start, bytes, used } = this.#blocks[at]!;
      if (from >= start) return bytes.subarray(from - start, used);
    }
    return Buffer.alloc(0);
  }

  #add(bytes: Buffer, used: number): void {
    this.#blocks.push({ start: this.end, bytes, used });
    this.end += used;
  }
}
