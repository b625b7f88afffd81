import { AppError } from '../platform/errors.ts';

const NAME = /^content-disposition:[ \t]*form-data[ \t]*;.*?\bname="?model"?(?:[ \t]*;|[ \t]*$)/im;
const refused = (why: string) => new AppError('bad_request', `The form is refused: ${why}.`);

/**
 * The `model` part of a form (RFC 7578), as far as `head` goes: audio, image and file endpoints name it there, often after the file.
 * @returns null when `head` holds no whole part of that name (yet)
 * @throws AppError `bad_request` for two of them
 */
export function modelInForm(head: Buffer, contentType: string): string | null {
  const boundary = /;[ \t]*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  if (boundary === null) throw refused('its content-type names no boundary');
  const delimiter = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  let model: string | null = null;
  // The first delimiter has no line end before it.
  let at = head.indexOf(delimiter.subarray(2));
  if (at !== 0) at = head.indexOf(delimiter);
  while (at >= 0) {
    const begin = head.indexOf('\r\n', at + 2);
    const blank = begin < 0 ? -1 : head.indexOf('\r\n\r\n', begin);
    const end = blank < 0 ? -1 : head.indexOf(delimiter, blank + 2);
    if (end < 0) return model;
    if (NAME.test(head.toString('latin1', begin + 2, blank))) {
      if (model !== null) throw refused('it names "model" twice');
      model = head.toString('utf8', blank + 4, end);
    }
    at = end;
  }
  return model;
}
