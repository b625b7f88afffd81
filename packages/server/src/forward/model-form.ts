import { AppError } from '../platform/errors.ts';

const DISPOSITION = /^content-disposition:[ \t]*form-data[ \t]*/i;
const PARAMETER = /;[ \t]*([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))[ \t]*/y;
const BOUNDARY = /;[ \t]*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;

const refused = (why: string) => new AppError('bad_request', `The form is refused: ${why}.`);

/**
 * The `model` part of a form (RFC 7578), as far as `head` goes: audio, image and file endpoints name it there, often after the file.
 * @returns null when `head` holds no whole part of that name (yet)
 * @throws AppError `bad_request` for two of them
 */
export function modelInForm(head: Buffer, contentType: string): string | null {
  const boundary = BOUNDARY.exec(contentType);
  if (boundary === null) throw refused('its content-type names no boundary');
  const delimiter = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  const first = delimiter.subarray(2);
  let model: string | null = null;
  // The first delimiter may have no line end before it.
  let at = head.subarray(0, first.length).equals(first) ? 0 : head.indexOf(delimiter);
  while (at >= 0) {
    const begin = head.indexOf('\r\n', at + 2);
    const blank = begin < 0 ? -1 : head.indexOf('\r\n\r\n', begin);
    const end = blank < 0 ? -1 : head.indexOf(delimiter, blank + 2);
    if (end < 0) return model;
    if (nameOf(head.toString('latin1', begin + 2, blank)) === 'model') {
      if (model !== null) throw refused('it names "model" twice');
      model = head.toString('utf8', blank + 4, end);
    }
    at = end;
  }
  return model;
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
