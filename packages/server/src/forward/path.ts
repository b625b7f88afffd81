import { AppError } from '../platform/errors.ts';

/** A path that needs no second look: plain segments, nothing encoded, nothing empty. */
const PLAIN = /^(?:\/[A-Za-z0-9\-_~!$&'()*+,=:@.]*)+$/;
const DOTS = /\/\.{1,2}(?:\/|$)/;

/**
 * The path of a request target, checked so that every reader of it, ours and the upstream's, sees the same one (rule 3). It is
 * returned as it came, byte for byte: what was authorized is what is sent.
 * @throws AppError `bad_path` for dot segments, empty segments, backslashes, encoded slashes, control characters, at any depth of encoding
 */
export function checkedPath(path: string): string {
  if (PLAIN.test(path) && !path.includes('//') && !DOTS.test(path)) return path;
  for (const decoded of decodings(path)) refuseAmbiguous(decoded, path);
  return path;
}

/** The path and each further decoding of it, down to the one that no longer changes. */
function* decodings(path: string): Generator<string> {
  let current = path;
  for (;;) {
    yield current;
    let next: string;
    try {
      next = decodeURIComponent(current);
    } catch {
      // A stray percent sign in what was already decoded is data; in the path as sent it is malformed (RFC 3986 section 2.1).
      if (current !== path) return;
      throw refused('it is not percent-encoded UTF-8');
    }
    if (next === current) return;
    // What decoding adds to the structure of the path was hidden before it (RFC 3986 section 2.2).
    if (count(next, '/') > count(current, '/')) throw refused('it holds an encoded slash');
    current = next;
  }
}

function refuseAmbiguous(decoded: string, original: string): void {
  if (!original.startsWith('/')) throw refused('it does not begin with a slash');
  // RFC 3986 section 2: everything else is sent encoded.
  if (/[^\x21-\x7e]/.test(original)) throw refused('it holds a character that must be encoded');
  if (decoded.includes('\\')) throw refused('it holds a backslash');
  if (decoded.includes('//')) throw refused('it holds an empty segment');
  if (/[\u0000-\u001f\u007f]/.test(decoded)) throw refused('it holds a control character');
  if (/[?#]/.test(decoded)) throw refused('it holds an encoded ? or #');
  // Some servers cut `;parameters` off a segment before they look at it.
  for (const segment of decoded.split('/')) {
    const name = segment.split(';')[0]!.trim();
    if (name === '.' || name === '..') throw refused('it holds a dot segment');
  }
}

const count = (text: string, character: string): number => text.split(character).length - 1;

const refused = (why: string) => new AppError('bad_path', `The path is refused: ${why}.`);

/** A request target (RFC 9112 section 3.2.1) in its two parts; the query keeps its question mark. */
export function splitTarget(target: string): { path: string; query: string } {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at) };
}
