import { AppError } from '../platform/errors.ts';

const SHORTEST = 12;
/** Of what is left of a password without the words that anybody would try first. */
const LEFT = 8;
const DISTINCT = 5;

/**
 * What a new password must be (NIST SP 800-63B section 3.1.1.2): long, and not made of the person's own name or address, or of ours. No rules about
 * kinds of characters: they make passwords worse.
 * @throws AppError `bad_request` that says what to do, and repeats nothing of the password
 */
export function refuseWeakPassword(
  password: string,
  person: { readonly email: string; readonly name: string | null },
): void {
  const characters = [...password.normalize('NFKC')];
  if (characters.length < SHORTEST)
    throw new AppError('bad_request', `The password needs at least ${SHORTEST} characters.`);
  if (new Set(characters).size < DISTINCT)
    throw new AppError('bad_request', 'The password repeats few characters; choose another.');
  let left = characters.join('').toLowerCase();
  for (const word of knownWords(person)) left = left.replaceAll(word, '');
  if ([...left].length < LEFT) {
    throw new AppError(
      'bad_request',
      'The password is mostly a name or address that others know; choose another.',
    );
  }
}

/** Longest first, so that no part of one hides the whole of another. */
function knownWords({ email, name }: { email: string; name: string | null }): string[] {
  const words = [email, ...email.split(/[@.+_-]/), name ?? '', ...(name ?? '').split(/\s+/), 'sallyport'];
  return words
    .map(word => word.normalize('NFKC').toLowerCase())
    .filter(word => word.length >= 3)
    .sort((a, b) => b.length - a.length);
}
