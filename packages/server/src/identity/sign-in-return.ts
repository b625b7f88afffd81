import { AppError } from '../platform/errors.ts';

const MAX = 2_048;

/**
 * Where to go after sign-in: a path of our own, as a browser will read it.
 * @throws AppError `bad_request` for anything that leads elsewhere (RFC 9700 section 4.11: no open redirector)
 */
export function returnPath(wanted: string | undefined, publicUrl: URL): string {
  if (wanted === undefined || wanted === '') return '/';
  const elsewhere = new AppError('bad_request', 'return_to must be a path of this gateway, like /settings.');
  // Browsers drop tabs and newlines, and read a backslash as a slash, before they parse.
  if (wanted.length > MAX || !wanted.startsWith('/') || /[\x00-\x20\\\x7f]/.test(wanted)) throw elsewhere;
  if (!URL.canParse(wanted, publicUrl)) throw elsewhere;
  const url = new URL(wanted, publicUrl);
  // `/.//evil.example` becomes `//evil.example` only once it is normalized.
  if (url.origin !== publicUrl.origin || url.pathname.startsWith('//')) throw elsewhere;
  return url.pathname + url.search + url.hash;
}
