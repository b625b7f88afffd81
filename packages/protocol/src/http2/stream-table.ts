import type { Http2Stream } from './stream.ts';

const FIRST_ROOM = 8;

/** The open streams by number. No Map, through which all calls would come and go (decisions/0018): streams that share a place hang together. */
export class StreamTable<Stream extends Http2Stream> {
  #places: (Http2Stream | null)[] = new Array<null>(FIRST_ROOM).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** It has its number, and is not in it yet. */
  add(stream: Stream): void {
    if (this.#size >= this.#places.length) this.#grow();
    this.#put(stream);
    this.#size += 1;
  }

  /** Null: it is over, or never was. */
  find(id: number): Stream | null {
    let stream: Http2Stream | null = this.#places[this.#placeOf(id)]!;
    while (stream !== null && stream.id !== id) stream = stream.beside;
    return stream as Stream | null;
  }

  close(stream: Stream): void {
    const place = this.#placeOf(stream.id);
    let before: Http2Stream | null = null;
    for (let one: Http2Stream | null = this.#places[place]!; one !== null; before = one, one = one.beside) {
      if (one !== stream) continue;
      if (before === null) this.#places[place] = stream.beside;
      else before.beside = stream.beside;
      stream.beside = null;
      this.#size -= 1;
      return;
    }
  }

  all(): Stream[] {
    const all: Stream[] = [];
    for (const first of this.#places)
      for (let one: Http2Stream | null = first; one !== null; one = one.beside) all.push(one as Stream);
    return all;
  }

  #put(stream: Stream): void {
    const place = this.#placeOf(stream.id);
    stream.beside = this.#places[place]!;
    this.#places[place] = stream;
  }

  /** Ends number theirs by twos. */
  #placeOf(id: number): number {
    return (id >>> 1) & (this.#places.length - 1);
  }

  #grow(): void {
    const open = this.all();
    this.#places = new Array<null>(this.#places.length * 2).fill(null);
    for (const stream of open) this.#put(stream);
  }
}
