/** Name and value in turn (RFC 7541 appendix A); the first has the index 1. */
const WRITTEN =
  `:authority||:method|GET|:method|POST|:path|/|:path|/index.html|:scheme|http|:scheme|https|:status|200|:status|204|:status|206|:status|304|
:status|400|:status|404|:status|500|accept-charset||accept-encoding|gzip, deflate|accept-language||accept-ranges||accept||access-control-allow-origin||age||
allow||authorization||cache-control||content-disposition||content-encoding||content-language||content-length||content-location||content-range||content-type||
cookie||date||etag||expect||expires||from||host||if-match||if-modified-since||if-none-match||if-range||if-unmodified-since||last-modified||link||location||
max-forwards||proxy-authenticate||proxy-authorization||range||referer||refresh||retry-after||server||set-cookie||strict-transport-security||
transfer-encoding||user-agent||vary||via||www-authenticate|`
    .replaceAll('\n', '')
    .split('|');

/** How many fields everybody knows. */
export const STATIC = WRITTEN.length / 2;
export const staticName = (index: number): string => WRITTEN[index * 2 - 2]!;
export const staticValue = (index: number): string => WRITTEN[index * 2 - 1]!;

/** The lowest index of each name, and of a name with its value. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  Array.from({ length: STATIC }, (_, at) => [staticName(STATIC - at), STATIC - at]),
);
export const STATIC_FIELDS: ReadonlyMap<string, number> = new Map(
  Array.from({ length: STATIC }, (_, at) => [`${staticName(at + 1)}\0${staticValue(at + 1)}`, at + 1]),
);

/** What an entry takes besides its letters (section 4.1). */
const ENTRY = 32;
/** What a table may hold unless its reader says otherwise (RFC 9113 section 6.5.2), and here ever. */
export const TABLE_BYTES = 4_096;
/** More cannot be in one. */
const MOST = TABLE_BYTES / ENTRY;

/** The fields that both ends remember of what was said before (RFC 7541 section 2.3.2), in a ring that grows with them. */
export class DynamicTable {
  /** Name and value in turn. */
  #ring: string[] = [];
  /** Entries that the ring has room for: a power of two. */
  #room = 0;
  #count = 0;
  #bytes = 0;
  #limit = TABLE_BYTES;
  /** Entries ever put in. */
  inserted = 0;

  get count(): number {
    return this.#count;
  }

  get limit(): number {
    return this.#limit;
  }

  /** @param back 0 for the newest */
  name(back: number): string {
    return this.#ring[this.#place(back)]!;
  }

  value(back: number): string {
    return this.#ring[this.#place(back) + 1]!;
  }

  /** Puts it in, and takes out what is too much then; something that is too large alone empties the table (section 4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY;
    this.#evict(this.#limit - size);
    if (size > this.#limit) return;
    if (this.#count === this.#room) this.#grow();
    this.inserted += 1;
    this.#count += 1;
    this.#bytes += size;
    const at = this.#place(0);
    this.#ring[at] = name;
    this.#ring[at + 1] = value;
  }

  /** @param limit bytes, no more than `TABLE_BYTES` */
  resize(limit: number): void {
    this.#limit = limit;
    this.#evict(limit);
  }

  #evict(most: number): void {
    while (this.#bytes > most && this.#count > 0) {
      const at = this.#place(this.#count - 1);
      this.#bytes -= this.#ring[at]!.length + this.#ring[at + 1]!.length + ENTRY;
      this.#ring[at] = '';
      this.#ring[at + 1] = '';
      this.#count -= 1;
    }
  }

  #place(back: number): number {
    return ((this.inserted - 1 - back) & (this.#room - 1)) * 2;
  }

  #grow(): void {
    const all: string[] = [];
    for (let back = this.#count - 1; back >= 0; back--) all.push(this.name(back), this.value(back));
    this.#room = Math.min(MOST, Math.max(8, this.#room * 2));
    const ring = new Array<string>(this.#room * 2).fill('');
    const first = this.inserted - this.#count;
    for (let n = 0; n < this.#count; n++) {
      const at = ((first + n) & (this.#room - 1)) * 2;
      ring[at] = all[n * 2]!;
      ring[at + 1] = all[n * 2 + 1]!;
    }
    this.#ring = ring;
  }
}
