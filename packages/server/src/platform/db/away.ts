import { AppError } from '../errors.ts';

/**
 * The database cannot do its work just now, which says nothing about the request: the caller is asked to come again. Any other error of a
 * driver passes through the stores as it is.
 */
export const databaseAway = (cause: unknown): AppError =>
  new AppError(
    'unavailable',
    'The database of this gateway does not answer just now; ask again in a moment.',
    {
      cause,
      headers: { 'retry-after': '5' },
    },
  );

/** A driver's code for what is wrong: `ECONNREFUSED`, `28P01`. Its message may repeat the connection string, and is nobody's. */
export function reasonOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && !(cause instanceof AppError)) return code;
  }
  return 'no answer in time';
}
