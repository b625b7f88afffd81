/**
 * Where to go after signing in: only a path of this origin (`//host`, `/\host` and full URLs are somebody else's),
 * so that a link to our sign-in page cannot send a person who trusts it elsewhere (RFC 9700 §4.11).
 */
export function safeReturnTo(wanted: string | null, origin: string): string {
  if (wanted === null || !wanted.startsWith('/')) return '/';
  try {
    const url = new URL(wanted, origin);
    return url.origin === origin ? url.pathname + url.search + url.hash : '/';
  } catch {
    return '/';
  }
}
