/** Small pieces are gathered into blocks of this size, bytes. */
const BLOCK = 16 * 1024;
/** What is smaller is copied in any case, bytes. */
const SMALL = 4 * 1024;
/** Parts of what was read are kept as they are while that holds no more memory than so many times what is to be kept. */
const AT_MOST = 4;

interface Block {
  /** Number of its first byte. */
  readonly start: number;
  readonly bytes: Buffer;
  used: number;
  /** Bytes of memory that it holds, beside what the block before it does. */
  holds: number;
}

/**
 * The last bytes that a terminal has printed, numbered from its beginning. What was written is never written over, so that a part of it may
 * be on its way to several clients while more comes.
 */
export class OutputWindow {
  readonly #size: number;
  #blocks: Block[] = [];
  #held = 0;
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
    if (chunk.length === 0) return;
    if (this.#mayHold(chunk)) this.#add(chunk, chunk.length);
    else this.#copy(chunk);
    while (this.#blocks.length > 1 && this.end - this.#blocks[1]!.start >= this.#size) this.#drop();
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

  /** Whether a piece is kept as it came, and with it all of the buffer that it is a part of. */
  #mayHold(chunk: Buffer): boolean {
    if (chunk.length < SMALL) return false;
    const { buffer } = chunk;
    return (
      buffer === this.#blocks.at(-1)?.bytes.buffer || this.#held + buffer.byteLength <= AT_MOST * this.#size
    );
  }

  #copy(chunk: Buffer): void {
    const last = this.#blocks.at(-1);
    let rest = chunk;
    if (last !== undefined && last.used < last.bytes.length) {
      const taken = rest.copy(last.bytes, last.used);
      last.used += taken;
      this.end += taken;
      rest = rest.subarray(taken);
    }
    if (rest.length === 0) return;
    // The first is small: most terminals that wait for somebody have printed a prompt and nothing else.
    const usual = this.#blocks.length === 0 && rest.length < BLOCK / 8 ? BLOCK / 8 : BLOCK;
    const block = Buffer.allocUnsafeSlow(Math.max(usual, rest.length));
    rest.copy(block);
    this.#add(block, rest.length);
  }

  #add(bytes: Buffer, used: number): void {
    const isHeld = bytes.buffer === this.#blocks.at(-1)?.bytes.buffer;
    const holds = isHeld ? 0 : bytes.buffer.byteLength;
    this.#held += holds;
    this.#blocks.push({ start: this.end, bytes, used, holds });
    this.end += used;
  }

  #drop(): void {
    const gone = this.#blocks.shift()!;
    const oldest = this.#blocks[0]!;
    if (oldest.bytes.buffer === gone.bytes.buffer) oldest.holds += gone.holds;
    else this.#held -= gone.holds;
  }
}
