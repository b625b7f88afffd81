import { AppError } from '../platform/errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const KEY = 'model';
/** Longest spelling of the key (all six-character escapes), and of a model's name, in bytes as written. */
const MAX_KEY = 6 * KEY.length;
const MAX_MODEL = 1_024;

const refused = (why: string) => new AppError('bad_request', `The body is refused: ${why}.`);

/**
 * Finds the top-level `"model"` of a JSON object in a stream of chunks, without parsing the rest: strings are skipped by `indexOf`, so that
 * a picture in the messages costs next to nothing. It goes on after the first hit: a second `model` would be the one that the upstream's
 * parser takes (RFC 8259 section 4), so the model that was authorized would not be the one that is used.
 */
export class ModelScan {
  /** What was found so far. */
  model: string | null = null;

  #depth = 0;
  /** At depth 1: whether the next string is a key. */
  #key = false;
  /** The value that comes next at depth 1 is the model. */
  #expected = false;
  /** Inside a string; `#text` collects it when it may be the key or the model. */
  #string = false;
  #escaped = false;
  #text: string | null = null;
  #ended = false;

  /** @throws AppError `bad_request` for a second `model`, or one that is no string, or a body that is no JSON object */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.#string ? this.#inString(chunk, at) : this.#outside(chunk, at);
  }

  #inString(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#escaped) {
      this.#escaped = false;
      at += 1;
      if (at > chunk.length) return at;
    }
    for (;;) {
      const quote = chunk.indexOf(QUOTE, at);
      const backslash = nextBackslash(chunk, at, quote);
      if (backslash >= 0) {
        at = backslash + 2;
        if (at > chunk.length) {
          this.#escaped = true;
          return this.#keep(chunk, start, chunk.length);
        }
        continue;
      }
      if (quote < 0) return this.#keep(chunk, start, chunk.length);
      this.#keep(chunk, start, quote);
      this.#string = false;
      this.#closeString();
      return quote + 1;
    }
  }

  #keep(chunk: Buffer, start: number, end: number): number {
    if (this.#text !== null) {
      this.#text += chunk.toString('latin1', start, end);
      const most = this.#expected ? MAX_MODEL : MAX_KEY;
      if (this.#text.length > most) {
        if (this.#expected) throw refused('"model" is too long');
        this.#text = null;
      }
    }
    return end;
  }

  #closeString(): void {
    const text = this.#text;
    this.#text = null;
    if (this.#expected) {
      this.#expected = false;
      this.model = unescaped(text!);
    } else if (this.#key) {
      this.#key = false;
      if (text === null || unescaped(text) !== KEY) return;
      if (this.model !== null) throw refused('it names "model" twice');
      this.#expected = true;
    }
  }

  #outside(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at]!;
      switch (byte) {
        case 0x20:
        case 0x09:
        case 0x0a:
        case 0x0d:
        case 0x3a: // :
          continue;
        case QUOTE:
          if (this.#depth === 0) throw refused('it is no JSON object');
          this.#string = true;
          this.#text = this.#key || this.#expected ? '' : null;
          return at + 1;
        case 0x7b: // {
        case 0x5b: // [
          if (this.#expected) throw refused('"model" is no string');
          if (this.#depth === 0 && (byte !== 0x7b || this.#ended)) throw refused('it is no JSON object');
          this.#depth += 1;
          this.#key = this.#depth === 1;
          continue;
        case 0x7d: // }
        case 0x5d: // ]
          this.#depth -= 1;
          this.#key = false;
          if (this.#depth === 0) this.#ended = true;
          if (this.#depth < 0) throw refused('it is no JSON object');
          continue;
        case 0x2c: // ,
          this.#key = this.#depth === 1;
          continue;
        default:
          if (this.#depth === 0) throw refused('it is no JSON object');
          if (this.#expected) throw refused('"model" is no string');
      }
    }
    return chunk.length;
  }
}

/** The first backslash before `quote` (or before the end), or -1. */
function nextBackslash(chunk: Buffer, at: number, quote: number): number {
  const found = quote < 0 ? chunk.indexOf(BACKSLASH, at) : chunk.subarray(at, quote).indexOf(BACKSLASH);
  return found < 0 || quote < 0 ? found : found + at;
}

/** A JSON string's content, from its bytes as written. */
function unescaped(latin1: string): string {
  try {
    return JSON.parse(`"${Buffer.from(latin1, 'latin1').toString('utf8')}"`) as string;
  } catch {
    throw refused('a string in it is malformed');
  }
}
