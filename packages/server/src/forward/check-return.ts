/** Of a whole address of ours; longer ones than this are not come back to. */
const MAX = 1_900;

export const RETURN = '/auth/return';

/**
 * The path of ours that leads back to where a person was: that place itself, or, where it is another port of this host, `/auth/return`, which sends
 * them there. Other hosts are not led to: the session's cookie would not follow.
 */
export function returnPathFor(url: URL | null, publicUrl: URL): string | null {
  if (url === null || !isOurHost(url, publicUrl)) return null;
  const { pathname, search } = url;
  const path =
    url.origin === publicUrl.origin
      ? `${pathname}${search}`
      : `${RETURN}?to=${encodeURIComponent(`${url.origin}${pathname}${search}`)}`;
  // A browser reads `//evil.example` as another host.
  return path.startsWith('//') || path.length > MAX ? null : path;
}

/** Whether it has the host whose cookies are ours, whatever its port: cookies know none (RFC 6265 section 8.5). */
export const isOurHost = (url: URL, publicUrl: URL): boolean =>
  url.hostname === publicUrl.hostname && url.protocol === publicUrl.protocol;
