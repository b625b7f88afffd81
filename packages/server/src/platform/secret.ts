import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A configured secret. Printing, logging, JSON and string conversion show where it came from, never the value;
 * only `reveal()` gives it.
 */
export class Secret {
  readonly #value: string;
  /** `env:NAME`, `file:PATH`, or `inline`. */
  readonly source: string;

  constructor(value: string, source = 'inline') {
    this.#value = value;
    this.source = source;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return this.source === 'inline' ? MASK : this.source;
  }

  [inspect.custom](): string {
    return `${MASK} ${this.source}`;
  }
}
