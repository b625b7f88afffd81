import { sha256 } from '../../platform/crypto.ts';

/** What models' interfaces take as the name of a tool: so many characters, each a letter, digit, `_` or `-`. */
const LONGEST = 64;
const LONGEST_PREFIX = 30;
const HASH = 12;
const SHORTENED = new RegExp(`-[0-9a-f]{${HASH}}$`);
const URI = /^sallyport:([A-Za-z0-9_-]+)\/(.*)$/s;

/**
 * An upstream's id as names begin with it. No two ids have the same, and `__` is in none of them: `/` is `_-`; whatever else is no letter, digit or `-`, and
 * a `_` that is not between letters or digits, is `-_` with two hexadecimal digits.
 */
export function prefixOf(id: string): string {
  const plain = (at: number) => /[A-Za-z0-9]/.test(id[at] ?? '');
  const prefix = id.replace(/[^A-Za-z0-9-]/g, (char, at: number) => {
    if (char === '/') return '_-';
    if (char === '_' && plain(at - 1) && plain(at + 1)) return '_';
    return `-_${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  if (prefix.length <= LONGEST_PREFIX) return prefix;
  return `${prefix.slice(0, LONGEST_PREFIX - HASH - 1).replace(/_+$/, '')}-${hashOf(id)}`;
}

/** A tool or a prompt of an upstream, as it is called at the joined endpoint: `{upstream}__{name}`. */
export function joinedName(upstreamId: string, name: string): string {
  const prefix = `${prefixOf(upstreamId)}__`;
  const room = LONGEST - prefix.length;
  return prefix + (name.length <= room ? name : `${name.slice(0, room - HASH - 1)}-${hashOf(name)}`);
}

/** The two halves of such a name; null for what is none. */
export function partsOf(joined: string): { prefix: string; name: string; shortened: boolean } | null {
  const at = joined.indexOf('__');
  if (at <= 0) return null;
  return {
    prefix: joined.slice(0, at),
    name: joined.slice(at + 2),
    // Perhaps: a name of just this length may end so by itself.
    shortened: joined.length === LONGEST && SHORTENED.test(joined),
  };
}

/** A resource's URI, or the template of one, at the joined endpoint: the server's own stands in it as it is. */
export const joinedUri = (upstreamId: string, uri: string): string =>
  `sallyport:${prefixOf(upstreamId)}/${uri}`;

export function partsOfUri(joined: string): { prefix: string; uri: string } | null {
  const [, prefix, uri] = URI.exec(joined) ?? [];
  return prefix === undefined || uri === undefined ? null : { prefix, uri };
}

const hashOf = (text: string): string =>
  Buffer.from(sha256(text), 'base64url').toString('hex').slice(0, HASH);
