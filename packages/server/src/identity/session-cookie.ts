/** Of the session's id in the cookie: 256 bits, base64url. */
const ID = /^[\w-]{43}$/;

/** A cookie of ours: host-only, out of scripts' reach, not sent with what other sites submit. */
export interface Cookie {
  readonly name: string;
  /** The value of `name` in a `Cookie` header, if it has our form; undefined where the cookie is absent. */
  read(cookies: string | undefined): string | null | undefined;
  /** `Set-Cookie` for a value that lives so long, milliseconds. */
  set(value: string, maxAge: number): string;
  clear(): string;
}

/**
 * With an https origin the `__Host-` prefix keeps sibling domains and plain http from planting the cookie
 * (draft-ietf-httpbis-rfc6265bis section 4.1.3.2); on http, which means loopback, browsers refuse the prefix.
 */
export function createCookie(plainName: string, publicUrl: URL): Cookie {
  const secure = publicUrl.protocol === 'https:';
  const name = secure ? `__Host-${plainName}` : plainName;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  return {
    name,
    read(cookies) {
      const value = valueIn(cookies, name);
      return value === undefined || ID.test(value) ? value : null;
    },
    set: (value, maxAge) => `${name}=${value}; Max-Age=${Math.floor(maxAge / 1000)}; ${attributes}`,
    clear: () => `${name}=; Max-Age=0; ${attributes}`,
  };
}

/** The browser's sign-in. With its value it stays under 100 bytes however large the tokens behind it are. */
export const sessionCookie = (publicUrl: URL): Cookie => createCookie('oauth_session_id', publicUrl);

function valueIn(cookies: string | undefined, name: string): string | undefined {
  if (cookies === undefined) return undefined;
  let at = 0;
  while (at < cookies.length) {
    while (cookies[at] === ' ') at += 1;
    const end = cookies.indexOf(';', at);
    const stop = end < 0 ? cookies.length : end;
    if (cookies.startsWith(name, at) && cookies[at + name.length] === '=') {
      return cookies.slice(at + name.length + 1, stop).trimEnd();
    }
    at = stop + 1;
  }
  return undefined;
}
