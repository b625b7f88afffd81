import { AppError } from '../platform/errors.ts';

const DISPOSITION = /^content-disposition:[ \t]*form-data[ \t]*/i;
const PARAMETER = /;[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))[ \t]*/y;
const BOUNDARY = /;[ \t]*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;
/** Longest head of a part, and model's name, in bytes. */
const MAX_HEAD = 16 * 1024;
const MAX_MODEL = 1_024;
const EMPTY_LINE = Buffer.from('\r\n\r\n');

const refused = (why: string) => new AppError('bad_request', `The form is refused: ${why}.`);

/**
 * Finds the `model` part of a form (RFC 7578) in a stream of chunks: audio, image and file endpoints name it there, often after the file. Like
 * `ModelScan` it goes on after the first hit: of two parts the upstream might take the other one.
 */
export class ModelForm {
  /** What was found so far. */
  model: string | null = null;

  readonly #delimiter: Buffer;
  /** What the next bytes are part of: nothing of interest, a part's head, or the model. */
  #within: 'content' | 'head' | 'model' = 'content';
  /** What may be the beginning of something. The first delimiter may have no line end before it. */
  #rest = Buffer.from('\r\n');

  /** @throws AppError `bad_request` without a boundary */
  constructor(contentType: string) {
    const boundary = BOUNDARY.exec(contentType);
    if (boundary === null) throw refused('its content-type names no boundary');
    this.#delimiter = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  }

  /** @throws AppError `bad_request` for a second `model`, or one that is too long */
  push(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#within === 'head' ? this.#head() : this.#content());
  }

  /** Up to the next delimiter. @returns whether it is here */
  #content(): boolean {
    const rest = this.#rest;
    const at = rest.indexOf(this.#delimiter);
    if (this.#within === 'model' && (at < 0 ? rest.length - this.#delimiter.length : at) > MAX_MODEL)
      throw refused('"model" is too long');
    if (at < 0) {
      // The delimiter may have begun; of a model, everything is needed.
      const keep = this.#delimiter.length - 1;
      if (this.#within === 'content' && rest.length > keep) this.#rest = rest.subarray(-keep);
      return false;
    }
    if (this.#within === 'model') this.model = rest.toString('utf8', 2, Math.max(at, 2));
    this.#within = 'head';
    this.#rest = rest.subarray(at + this.#delimiter.length);
    return true;
  }

  /** Up to the empty line that ends it; what follows the last part is read as one that never ends. @returns whether it is here */
  #head(): boolean {
    const rest = this.#rest;
    const end = rest.indexOf(EMPTY_LINE);
    const next = rest.indexOf(this.#delimiter);
    if (next >= 0 && (end < 0 || next < end)) {
      this.#rest = rest.subarray(next + this.#delimiter.length);
      return true;
    }
    if (end < 0) {
      if (rest.length > MAX_HEAD) throw refused('the head of a part is too long');
      return false;
    }
    this.#within = nameOf(rest.toString('latin1', 0, end)) === 'model' ? 'model' : 'content';
    if (this.#within === 'model' && this.model !== null) throw refused('it names "model" twice');
    // The line end before the content stays: where there is no content, it is the delimiter's.
    this.#rest = rest.subarray(end + 2);
    return true;
  }
}

/** The field's name in a part's head. */
function nameOf(head: string): string | null {
  for (const line of head.split('\r\n')) {
    const disposition = DISPOSITION.exec(line);
    if (disposition === null) continue;
    PARAMETER.lastIndex = disposition[0].length;
    for (let found = PARAMETER.exec(line); found !== null; found = PARAMETER.exec(line)) {
      if (found[1]!.toLowerCase() === 'name') return found[2]?.replace(/\\(.)/g, '$1') ?? found[3]!;
    }
  }
  return null;
}
