import { FieldBlock } from './fields.ts';

/** HTTP/2's own fields of a request (RFC 9113 section 8.3.1; RFC 8441 section 4). */
type Pseudo = ':method' | ':scheme' | ':path' | ':authority' | ':protocol';
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What no path holds: it would be the end of a line, or of a word, on its way on. */
const NOT_IN_PATH = /[^\x21-\x7e\x80-\xff]/;

/** The head of a request, or what trails it. */
export class RequestHead extends FieldBlock {
  readonly #said: Record<Pseudo, string | null> = {
    ':method': null,
    ':scheme': null,
    ':path': null,
    ':authority': null,
    ':protocol': null,
  };
  protected readonly wrongPseudo = 'a head that is none of a request';

  get method(): string {
    return this.#said[':method'] ?? '';
  }

  get path(): string {
    return this.#said[':path'] ?? '';
  }

  /** What a CONNECT is to become (RFC 8441 section 4). */
  get protocol(): string | null {
    return this.#said[':protocol'];
  }

  /** Whether all is there that a request has. */
  get whole(): boolean {
    const { method, path, protocol } = this;
    if (!METHOD.test(method) || (method === 'CONNECT') !== (protocol !== null)) return false;
    return this.#said[':scheme'] !== null && path.startsWith('/') && !NOT_IN_PATH.test(path);
  }

  /** Whether it may trail a request: that has none of HTTP/2's own fields (RFC 9113 section 8.1). */
  get trails(): boolean {
    return Object.values(this.#said).every(value => value === null);
  }

  protected pseudo(name: string, value: string): boolean {
    if (!(name in this.#said) || this.#said[name as Pseudo] !== null) return false;
    this.#said[name as Pseudo] = value;
    return true;
  }
}
