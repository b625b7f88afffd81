import { LINE_BYTES } from './limits.ts';

const LF = 0x0a;

/** Cuts bytes into lines of UTF-8; empty ones, and a carriage return at the end, are left out. */
export class LineSplitter {
  readonly #line: (text: string) => void;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(line: (text: string) => void) {
    this.#line = line;
  }

  /** @returns false when a line is longer than it may be: nothing behind it can be understood */
  push(chunk: Buffer): boolean {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      if (!this.#keep(chunk.subarray(from, at))) return false;
      this.#end();
      from = at + 1;
    }
    return this.#keep(chunk.subarray(from));
  }

  #keep(piece: Buffer): boolean {
    this.#length += piece.length;
    if (this.#length > LINE_BYTES) return false;
    if (piece.length > 0) this.#pieces.push(piece);
    return true;
  }

  #end(): void {
    const text = Buffer.concat(this.#pieces).toString('utf8').trimEnd();
    this.#pieces = [];
    this.#length = 0;
    if (text !== '') this.#line(text);
  }
}
