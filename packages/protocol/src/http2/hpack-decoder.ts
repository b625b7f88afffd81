import { CODE, Http2Error } from './codes.ts';
import { DynamicTable, STATIC, staticName, staticValue, TABLE_BYTES } from './hpack-table.ts';
import { huffmanText } from './huffman.ts';

/** An integer of more bytes than this says more than there can be (RFC 7541 section 5.1). */
const MOST_SHIFT = 28;

/** Takes the fields of a block, one by one. */
export type FieldSink = { field(name: string, value: string): void };

/** Reads the heads that one peer writes (RFC 7541): its blocks have to come in their turn, each whole. */
export class HpackDecoder {
  readonly #table = new DynamicTable();
  #bytes: Buffer = NOTHING;
  #at = 0;
  #end = 0;

  /**
   * Reads one block to its end, whatever its taker makes of it: what comes later depends on all of it.
   * @throws Http2Error COMPRESSION_ERROR: nothing that follows can be understood
   */
  read(block: Buffer, sink: FieldSink): void {
    this.#bytes = block;
    this.#at = 0;
    this.#end = block.length;
    let fields = 0;
    while (this.#at < this.#end) {
      const first = block[this.#at]!;
      // Section 4.2: at the beginning of a block and nowhere else.
      if ((first & 0xe0) === 0x20) {
        if (fields > 0) throw wrong();
        this.#resize();
        continue;
      }
      fields += 1;
      if ((first & 0x80) !== 0) this.#indexed(sink);
      else this.#literal(sink, (first & 0x40) !== 0);
    }
    this.#bytes = NOTHING;
  }

  #indexed(sink: FieldSink): void {
    const index = this.#integer(0x7f);
    if (index === 0) throw wrong();
    if (index <= STATIC) sink.field(staticName(index), staticValue(index));
    else {
      const back = this.#back(index);
      sink.field(this.#table.name(back), this.#table.value(back));
    }
  }

  #literal(sink: FieldSink, remembered: boolean): void {
    const index = this.#integer(remembered ? 0x3f : 0x0f);
    const name =
      index === 0 ? this.#text() : index <= STATIC ? staticName(index) : this.#table.name(this.#back(index));
    const value = this.#text();
    if (remembered) this.#table.add(name, value);
    sink.field(name, value);
  }

  #resize(): void {
    const limit = this.#integer(0x1f);
    if (limit > TABLE_BYTES) throw wrong();
    this.#table.resize(limit);
  }

  #back(index: number): number {
    const back = index - STATIC - 1;
    if (back >= this.#table.count) throw wrong();
    return back;
  }

  /** Section 5.1. @param mask what of the first byte is its */
  #integer(mask: number): number {
    if (this.#at >= this.#end) throw wrong();
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MOST_SHIFT; shift += 7) {
      if (this.#at >= this.#end) throw wrong();
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw wrong();
  }

  /** Section 5.2. */
  #text(): string {
    const huffman = this.#at < this.#end && this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(0x7f);
    const from = this.#at;
    const to = from + length;
    if (to > this.#end) throw wrong();
    this.#at = to;
    return huffman ? huffmanText(this.#bytes, from, to) : this.#bytes.toString('latin1', from, to);
  }
}

const NOTHING = Buffer.alloc(0);
const wrong = () => new Http2Error(CODE.COMPRESSION_ERROR, 'headers came that cannot be read');
