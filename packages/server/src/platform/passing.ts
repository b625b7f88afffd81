/** After so many deletions the tables are left behind, and with them what leads from one to the next. */
const RENEWED_AFTER = 1_000;

/**
 * A Map for what comes and goes with calls. V8 links each hash table of a Map to the one that follows it (for iterators); once such a table has
 * grown old, all that was ever put into the later ones lives until the next full collection, which under load was a tenth of the processor's time
 * (decisions/0018). This one begins anew before much can hang on it. A loop over it does not see what is set meanwhile.
 */
export class PassingMap<K, V> {
  #all = new Map<K, V>();
  #deleted = 0;

  get size(): number {
    return this.#all.size;
  }

  get(key: K): V | undefined {
    return this.#all.get(key);
  }

  has(key: K): boolean {
    return this.#all.has(key);
  }

  set(key: K, value: V): this {
    this.#all.set(key, value);
    return this;
  }

  delete(key: K): boolean {
    const had = this.#all.delete(key);
    if (had && ++this.#deleted >= RENEWED_AFTER) {
      this.#all = new Map(this.#all);
      this.#deleted = 0;
    }
    return had;
  }

  clear(): void {
    this.#all = new Map();
    this.#deleted = 0;
  }

  *keys(): Generator<K, void, void> {
    for (const key of [...this.#all.keys()]) if (this.#all.has(key)) yield key;
  }

  *values(): Generator<V, void, void> {
    for (const key of this.keys()) yield this.#all.get(key)!;
  }
}

/** The same as a Set. */
export class PassingSet<T> implements Iterable<T> {
  readonly #all = new PassingMap<T, T>();

  get size(): number {
    return this.#all.size;
  }

  add(one: T): this {
    this.#all.set(one, one);
    return this;
  }

  delete(one: T): boolean {
    return this.#all.delete(one);
  }

  clear(): void {
    this.#all.clear();
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#all.values();
  }
}
