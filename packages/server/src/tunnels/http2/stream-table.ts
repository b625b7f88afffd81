import type { Http2Stream } from './stream.ts';

/** The highest number that a stream may have is 2³¹ − 1 (RFC 9113 section 5.1.1); the last ones are left, so that some may be passed by. */
const LAST = 2 ** 31 - 4_096;
const FIRST_ROOM = 8;

/**
 * The open streams by number. No Map, through which all calls would come and go (decisions/0018): a number says its place, and one whose place is
 * taken by a stream that lasts is left out, which is its right (section 5.1.1).
 */
export class StreamTable {
  #places: (Http2Stream | null)[] = new Array<null>(FIRST_ROOM).fill(null);
  #next: number;
  #size = 0;

  /** @param next the first number that it gives */
  constructor(next = 1) {
    this.#next = next;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether no stream can be opened any more, ever. */
  get exhausted(): boolean {
    return this.#next > LAST;
  }

  /** Gives it its number. */
  open(stream: Http2Stream): void {
    if (this.#size * 2 >= this.#places.length) this.#grow();
    while (this.#places[this.#placeOf(this.#next)] !== null) this.#next += 2;
    stream.id = this.#next;
    this.#places[this.#placeOf(this.#next)] = stream;
    this.#next += 2;
    this.#size += 1;
  }

  /** Null: it is over, or never was. */
  find(id: number): Http2Stream | null {
    const stream = this.#places[this.#placeOf(id)]!;
    return stream !== null && stream.id === id ? stream : null;
  }

  /** Whether it was never opened, so that nothing can come for it. */
  isIdle(id: number): boolean {
    return id % 2 === 0 || id >= this.#next;
  }

  close(stream: Http2Stream): void {
    if (this.find(stream.id) !== stream) return;
    this.#places[this.#placeOf(stream.id)] = null;
    this.#size -= 1;
  }

  all(): Http2Stream[] {
    return this.#places.filter(stream => stream !== null);
  }

  #placeOf(id: number): number {
    return (id >>> 1) & (this.#places.length - 1);
  }

  #grow(): void {
    const open = this.all();
    // Two that had places apart have so in twice the room.
    this.#places = new Array<null>(this.#places.length * 2).fill(null);
    for (const stream of open) this.#places[this.#placeOf(stream.id)] = stream;
  }
}
