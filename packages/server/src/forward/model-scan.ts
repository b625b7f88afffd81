import { AppError } from '../platform/errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const KEY = 'model';
/** Longest spelling of the key (all six-character escapes), and of a model's name, in bytes as written. */
const MAX_KEY = 6 * KEY.length;
const MAX_MODEL = 1_024;

const refused = (why: string) => new AppError('bad_request', `The body is refused: ${why}.`);

/**
 * Finds the top-level `"model"` of a JSON object in a stream of chunks, without parsing the rest: in strings only quotes are looked for, so
 * that a picture in the messages costs next to nothing. It goes on after the first hit: a second `model` would be the one that the
 * upstream's parser takes (RFC 8259 section 4), so the model that was authorized would not be the one that is used. Some parsers (Go's) match
 * keys in any case, so `Model` counts too.
 */
export class ModelScan {
  /** What was found so far. */
  model: string | null = null;

  #depth = 0;
  /** At depth 1: whether a key, or the end, comes next. */
  #key = false;
  /** The value that comes next at depth 1 is the model. */
  #expected = false;
  #inside = false;
  /** Inside a string: the next byte is escaped. */
  #escaped = false;
  /** Inside a string that may be the key or the model: what it holds so far, as written. */
  #text: string | null = null;
  #ended = false;

  /** @throws AppError `bad_request` for a second `model`, or one that is no string, or a body that is no JSON object */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.#inside ? this.#string(chunk, at) : this.#outside(chunk, at);
  }

  /** @returns where to go on: behind the closing quote, or the chunk's end */
  #string(chunk: Buffer, start: number): number {
    // An escaped byte ends no string, whatever it is.
    const from = this.#escaped ? start + 1 : start;
    let quote = chunk.indexOf(QUOTE, from);
    // A quote behind an odd number of backslashes is part of the string.
    while (quote >= 0 && escapes(chunk, from, quote)) quote = chunk.indexOf(QUOTE, quote + 1);
    if (quote < 0) {
      this.#escaped = escapes(chunk, from, chunk.length);
      this.#keep(chunk, start, chunk.length);
      return chunk.length;
    }
    this.#escaped = false;
    this.#inside = false;
    this.#keep(chunk, start, quote);
    this.#closed();
    return quote + 1;
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    if (this.#text === null) return;
    this.#text += chunk.toString('latin1', start, end);
    if (this.#text.length <= (this.#expected ? MAX_MODEL : MAX_KEY)) return;
    if (this.#expected) throw refused('"model" is too long');
    this.#text = null;
  }

  #closed(): void {
    const text = this.#text;
    this.#text = null;
    if (this.#expected) {
      this.#expected = false;
      this.model = unescaped(text!);
    } else if (this.#key) {
      this.#key = false;
      if (text === null || unescaped(text).toLowerCase() !== KEY) return;
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
          this.#inside = true;
          this.#text = this.#key || this.#expected ? '' : null;
          return at + 1;
        case 0x7b: // {
        case 0x5b: // [
          if (this.#expected) throw refused('"model" is no string');
          if (this.#depth === 0 && (byte !== 0x7b || this.#ended)) throw refused('it is no JSON object');
          if (this.#key) throw refused('a key in it is no string');
          this.#depth += 1;
          this.#key = this.#depth === 1;
          continue;
        case 0x7d: // }
        case 0x5d: // ]
          if (this.#expected || this.#depth === 0) throw refused('it is no JSON object');
          this.#depth -= 1;
          this.#key = false;
          this.#ended = this.#depth === 0;
          continue;
        case 0x2c: // ,
          if (this.#expected) throw refused('"model" is no string');
          this.#key = this.#depth === 1;
          continue;
        default:
          if (this.#depth === 0) throw refused('it is no JSON object');
          if (this.#expected) throw refused('"model" is no string');
          // Lenient parsers know bare keys, comments and other encodings; what they would read there, this scan would not.
          if (this.#key || !inLiteral(byte)) throw refused('it is no strict JSON in UTF-8');
      }
    }
    return chunk.length;
  }
}

/** Whether the backslashes right before `at` leave what is there escaped. */
function escapes(chunk: Buffer, from: number, at: number): boolean {
  let before = at;
  while (before > from && chunk[before - 1] === BACKSLASH) before -= 1;
  return (at - before) % 2 === 1;
}

/** Of a number, `true`, `false` or `null`. */
function inLiteral(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || // 0-9
    (byte >= 0x61 && byte <= 0x7a) || // a-z
    byte === 0x2d || // -
    byte === 0x2b || // +
    byte === 0x2e || // .
    byte === 0x45 // E
  );
}

/** A JSON string's content, from its bytes as written. */
function unescaped(latin1: string): string {
  try {
    return JSON.parse(`"${Buffer.from(latin1, 'latin1').toString('utf8')}"`) as string;
  } catch {
    throw refused('a string in it is malformed');
  }
}
